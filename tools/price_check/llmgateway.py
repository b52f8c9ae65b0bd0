"""Quotes of npm's `@llmgateway/models`, which node reads."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tools.price_check.quotes import SIZE, Quote, quoting

from outlay.domain.usage import TokenUsage

TABLE: Final = "llmgateway"

PROVIDERS: Final = {
    "aws-bedrock": "aws",
    "aws-mantle": "aws",
    "azure-ai-foundry": "azure",
    "azure-anthropic": "azure",
    "google-ai-studio": "google",
    "google-vertex": "google",
    "moonshot": "moonshotai",
    "together-ai": "together",
    "vertex-anthropic": "google",
    "vertex-openai": "google",
    "xai": "x-ai",
}
"""Its names of providers that have a different name here."""

TIERS: Final[Mapping[str, Mapping[str, str]]] = {
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "batch": {"processing": "batch"},
}

RATES: Final = {
    "inputPrice": ("input", TokenUsage(SIZE)),
    "outputPrice": ("output", TokenUsage(0, SIZE)),
    "cachedInputPrice": ("cache_read", TokenUsage(SIZE, 0, SIZE)),
    "cacheWriteInputPrice": ("cache_write", TokenUsage(SIZE, 0, 0, SIZE)),
    "cacheWriteInputPrice1h": ("cache_write_1h", TokenUsage(SIZE, 0, 0, SIZE, SIZE)),
}

METERS: Final = {
    "webSearchPrice": ("web_searches", TokenUsage()),
    "imageInputPrice": ("input_image_tokens", TokenUsage(SIZE)),
    "imageOutputPrice": ("output_image_tokens", TokenUsage(0, SIZE)),
    "inputAudioPrice": ("input_audio_tokens", TokenUsage(SIZE)),
    "outputAudioPrice": ("output_audio_tokens", TokenUsage(0, SIZE)),
    "inputCharacterPrice": ("input_characters", TokenUsage()),
    "ocrPagePrice": ("input_document_pages", TokenUsage()),
}

_EXPORT: Final = """
const found = await import("@llmgateway/models");
const at = new Date(process.argv[1]);
const out = [];
for (const model of found.models) for (const mapping of model.providers) {
  if (mapping.deactivatedAt && new Date(mapping.deactivatedAt) <= at) continue;
  const prices = mapping.peakPricing ? found.resolveTimeBasedPricing(mapping, at) : {};
  const tiers = found.getSupportedServiceTiers(model.id, mapping.providerId);
  out.push({...mapping, ...prices, modelId: model.id, tiers});
}
console.log(JSON.stringify(out));
"""


def read_llmgateway(folder: Path, at: datetime) -> Iterator[Quote]:
    """The quotes of the package in a folder with `node_modules`."""
    ran = subprocess.run(
        ["node", "--input-type=module", "-e", _EXPORT, at.isoformat()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    for entry in json.loads(ran.stdout):
        yield from _quotes(entry, at)


def _quotes(entry: Mapping[str, Any], at: datetime) -> Iterator[Quote]:
    provider = PROVIDERS.get(entry["providerId"], entry["providerId"])
    mapping = f"{provider}/{entry.get('externalId') or entry['modelId']}"

    quote = quoting(TABLE, provider, mapping, at, TIERS)

    for key, (what, usage) in RATES.items():
        if (rate := _rate(entry.get(key))) is not None:
            yield quote(what, rate * SIZE, usage)
            for tier in entry["tiers"]:
                if tier["id"] in TIERS:
                    factor = Decimal(str(tier["multiplier"]))
                    yield quote(what, rate * factor * SIZE, usage, tier["id"])
    for key, (meter, usage) in METERS.items():
        if rate := _rate(entry.get(key)):
            yield quote(meter, rate * SIZE, usage, "", **{meter: SIZE})
    yield from _tiered(entry, quote)


def _tiered(entry: Mapping[str, Any], quote: Any) -> Iterator[Quote]:
    """Quotes of the prices above a size of the input."""
    tiers = entry.get("pricingTiers") or ()
    for below, tier in pairwise(tiers):
        above, rate = below["upToTokens"], _rate(tier.get("inputPrice"))
        if above and rate is not None:
            size = int(above) + 1
            yield quote(f"input above {above:,}", rate * size, TokenUsage(size))
            if (output := _rate(tier.get("outputPrice"))) is not None:
                cost = rate * size + output * SIZE
                yield quote(f"output above {above:,}", cost, TokenUsage(size, SIZE))


def _rate(text: object) -> Decimal | None:
    return Decimal(text) if isinstance(text, str) else None
