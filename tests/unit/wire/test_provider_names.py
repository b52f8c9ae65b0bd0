"""A provider has one name, whatever the source of an event and its spelling."""

import json
from pathlib import Path
from typing import Any

import pytest

from outlay.domain.provider import find_provider
from outlay.pricing.overrides import find_override, read_overrides
from outlay.wire.native import parse_events
from outlay.wire.providers import route_of


def native(model: str, **more: Any) -> tuple[str, str]:
    event = {"eventId": "e", "eventTime": "2026-11-20T09:00:00Z", "model": model, **more}
    (report,) = parse_events(json.dumps(event).encode())
    return report.provider, report.mapping


@pytest.mark.parametrize("spelt", ["openai", "OpenAI", "OPENAI", " Openai "])
def test_native_provider_names_are_case_insensitive(spelt: str) -> None:
    assert native("gpt-5.5", provider=spelt) == ("openai", "openai/gpt-5.5")
    assert native(f"{spelt}/gpt-5.5") == ("openai", "openai/gpt-5.5")
    assert native(f"{spelt}/gpt-5.5", provider="openai") == ("openai", "openai/gpt-5.5")
    assert route_of(spelt, "gpt-5.5") == ("openai", "openai/gpt-5.5")


@pytest.mark.parametrize(
    ("spelt", "name"), [("xAI", "x-ai"), ("Vertex AI", "google"), ("aws.bedrock", "aws")]
)
def test_native_and_other_events_normalise_names_alike(spelt: str, name: str) -> None:
    assert native("m", provider=spelt) == route_of(spelt, "m") == (name, f"{name}/m")


def test_resold_model_keeps_its_maker() -> None:
    assert native("Qwen/qwen3", provider="Groq") == ("groq", "Qwen/qwen3")


def test_model_names_keep_their_case() -> None:
    assert native("Mistral/Mixtral-8x7B") == ("mistral", "mistral/Mixtral-8x7B")


def test_normalised_name_is_a_fixed_point() -> None:
    for spelt in ("xAI", "Vertex AI", "Azure_AI", "someone"):
        assert find_provider(find_provider(spelt)) == find_provider(spelt)


def test_provider_price_holds_for_every_spelling(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('[[price]]\nmodel = "grok-9"\nprovider = "xAI"\ninput = 1\n')
    for spelt in ("xai", "x-ai", "X_AI"):
        found, _, _ = find_override(read_overrides(path), spelt, ["grok-9"], 0, {})
        assert found is not None
