"""Quotes of LiteLLM's table, `model_prices_and_context_window`.

Its keys contain the rate, the size from which it applies and the tier: `input_cost_per_token`,
`cache_read_input_token_cost_above_272k_tokens_priority`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tools.price_check.quotes import SIZE, Quote, quoting

from outlay.domain.usage import TokenUsage
from outlay.wire.providers import route_of

TABLE: Final = "litellm"
FILE: Final = "model_prices_and_context_window_backup.json"

TIERS: Final[Mapping[str, Mapping[str, str]]] = {
    "": {},
    "batches": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}
"""Its suffixes for tiers; no provider reports the others (`ultrafast`, `decisions`)."""

TOKEN_RATES: Final = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
}

METERS: Final = {
    "input_cost_per_audio_token": ("input_audio_tokens", 1),
    "output_cost_per_audio_token": ("output_audio_tokens", 1),
    "cache_read_input_audio_token_cost": ("cache_audio_read_tokens", 1),
    "input_cost_per_image_token": ("input_image_tokens", 1),
    "output_cost_per_image_token": ("output_image_tokens", 1),
    "cache_read_input_image_token_cost": ("cache_image_read_tokens", 1),
    "input_cost_per_video_token": ("input_video_tokens", 1),
    "output_cost_per_video_token": ("output_video_tokens", 1),
    "citation_cost_per_token": ("output_citation_tokens", 1),
    "output_cost_per_image": ("output_images", 1),
    "input_cost_per_character": ("input_characters", 1),
    "input_cost_per_second": ("input_audio_milliseconds", 1_000),
    "output_cost_per_second": ("output_video_milliseconds", 1_000),
    "input_cost_per_pixel": ("input_pixels", 1),
    "ocr_cost_per_page": ("input_document_pages", 1),
    "annotation_cost_per_page": ("input_annotated_document_pages", 1),
    "input_cost_per_text_message": ("input_text_messages", 1),
    "code_interpreter_cost_per_session": ("code_sessions", 1),
}
"""Rates of meters, and the quantity that one of them is for."""

WITHIN: Final = {
    "input_audio_tokens": TokenUsage(SIZE),
    "input_image_tokens": TokenUsage(SIZE),
    "input_video_tokens": TokenUsage(SIZE),
    "cache_audio_read_tokens": TokenUsage(SIZE, 0, SIZE),
    "cache_image_read_tokens": TokenUsage(SIZE, 0, SIZE),
    "output_audio_tokens": TokenUsage(0, SIZE),
    "output_image_tokens": TokenUsage(0, SIZE),
    "output_video_tokens": TokenUsage(0, SIZE),
    "output_citation_tokens": TokenUsage(0, SIZE),
}
"""The token counts that include meters."""

WHOLES: Final = {
    "cache_audio_read_tokens": "input_audio_tokens",
    "cache_image_read_tokens": "input_image_tokens",
}

_NAME: Final = re.compile(
    r"(?P<rate>[a-z_]+?)(_above_(?P<above>\d+)k_tokens)?(_(?P<tier>batches|flex|priority))?"
)


def read_litellm(folder: Path, at: datetime) -> Iterator[Quote]:
    """The quotes of the table in an environment, or of a file."""
    path = folder if folder.is_file() else next(folder.rglob(FILE))
    table = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    for name, entry in table.items():
        provider = entry.get("litellm_provider")
        if provider and name != "sample_spec":
            yield from _quotes(*route_of(provider, name), entry, at)


def _quotes(provider: str, mapping: str, entry: Mapping[str, Any], at: datetime) -> Iterator[Quote]:
    quote = quoting(TABLE, provider, mapping, at, TIERS)

    for key, value in entry.items():
        found = _NAME.fullmatch(key)
        if found is None or isinstance(value, bool) or not isinstance(value, int | Decimal):
            continue
        rate, above, tier = found["rate"], int(found["above"] or 0) * 1_000, found["tier"] or ""
        cost = Decimal(value)
        if rate in TOKEN_RATES:
            kind = TOKEN_RATES[rate]
            usage, size = _usage_of(kind, above + 1 if above else SIZE)
            base = _input_rate(entry, key) if usage.output_tokens else 0
            what = f"{kind} above {above:,}" if above else kind
            yield quote(what, cost * size + base * usage.input_tokens, usage, tier)
        elif rate in METERS and not above:
            meter, per = METERS[rate]
            counts = {meter: SIZE} | ({WHOLES[meter]: SIZE} if meter in WHOLES else {})
            yield quote(meter, cost * SIZE / per, WITHIN.get(meter, TokenUsage()), tier, **counts)
    searches = entry.get("search_context_cost_per_query")
    if isinstance(searches, dict) and "search_context_size_medium" in searches:
        each = Decimal(searches["search_context_size_medium"])
        yield quote("web_searches", each * 1_000, TokenUsage(), "", web_searches=1_000)


def _usage_of(kind: str, size: int) -> tuple[TokenUsage, int]:
    """Usage of one kind only, and its quantity; the size of the input selects the tier."""
    usages = {
        "input": (TokenUsage(size), size),
        "cache_read": (TokenUsage(size, 0, size), size),
        "cache_write": (TokenUsage(size, 0, 0, size), size),
        "cache_write_1h": (TokenUsage(size, 0, 0, size, size), size),
        "output": (TokenUsage(size if size != SIZE else 0, SIZE), SIZE),
        "reasoning": (TokenUsage(size if size != SIZE else 0, SIZE, 0, 0, 0, SIZE), SIZE),
    }
    return usages[kind]


def _input_rate(entry: Mapping[str, Any], key: str) -> Decimal:
    """The cost of the input whose size selects the tier of an output."""
    rate = key.replace("output_cost_per_reasoning_token", "output_cost_per_token")
    return Decimal(entry.get(rate.replace("output_cost", "input_cost"), 0))
