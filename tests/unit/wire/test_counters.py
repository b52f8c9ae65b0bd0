"""Usage objects as providers write them, and how they are read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.meter import METERS
from outlay.domain.usage import MAX_TOKENS, TokenUsage
from outlay.wire.counters import read_cost, read_counters

SHAPES: list[tuple[str, dict[str, Any], TokenUsage | None, dict[str, int], tuple[str, ...]]] = [
    (
        "OpenAI",
        {
            "prompt_tokens": 1017,
            "completion_tokens": 592,
            "total_tokens": 1609,
            "prompt_tokens_details": {"cached_tokens": 0, "text_tokens": 17, "audio_tokens": 1000},
            "completion_tokens_details": {"text_tokens": 110, "audio_tokens": 482},
        },
        TokenUsage(1017, 592),
        {"input_audio_tokens": 1000, "output_audio_tokens": 482},
        (),
    ),
    (
        "reasoning inside the output",
        {
            "input_tokens": 1000,
            "input_tokens_details": {"cached_tokens": 600},
            "output_tokens": 400,
            "output_tokens_details": {"reasoning_tokens": 300},
            "total_tokens": 1400,
        },
        TokenUsage(1000, 400, 600, 0, 0, 300),
        {},
        (),
    ),
    (
        "reasoning beside the output",
        {
            "prompt_tokens": 100,
            "completion_tokens": 40,
            "total_tokens": 440,
            "completion_tokens_details": {"reasoning_tokens": 300},
        },
        TokenUsage(100, 340, 0, 0, 0, 300),
        {},
        (),
    ),
    (
        "thoughts in the total alone",
        {"prompt_tokens": 7477, "completion_tokens": 2060, "total_tokens": 11476},
        TokenUsage(7477, 3999, 0, 0, 0, 1939),
        {},
        (),
    ),
    ("embeddings", {"total_tokens": 1000}, TokenUsage(1000, 0), {}, ()),
    (
        "Perplexity",
        {
            "prompt_tokens": 108,
            "completion_tokens": 3256,
            "total_tokens": 3364,
            "citation_tokens": 7299,
            "num_search_queries": 74,
            "reasoning_tokens": 73248,
            "search_context_size": "low",
        },
        TokenUsage(108, 3256 + 73248 + 7299, 0, 0, 0, 73248),
        {"web_searches": 74, "output_citation_tokens": 7299},
        (),
    ),
    (
        "LiteLLM's cache writes",
        {
            "prompt_tokens": 6210,
            "completion_tokens": 467,
            "total_tokens": 6677,
            "prompt_tokens_details": {
                "cached_tokens": 0,
                "cache_creation_tokens": 6179,
                "cache_creation_token_details": {
                    "ephemeral_5m_input_tokens": 0,
                    "ephemeral_1h_input_tokens": 6179,
                },
            },
            "cache_creation_input_tokens": 6179,
            "cache_read_input_tokens": 0,
        },
        TokenUsage(6210, 467, 0, 6179, 6179, 0),
        {},
        (),
    ),
    (
        "Moonshot",
        {
            "prompt_tokens": 2989,
            "completion_tokens": 40,
            "total_tokens": 3029,
            "cached_tokens": 2800,
        },
        TokenUsage(2989, 40, 2800),
        {},
        (),
    ),
    (
        "Gemini",
        {
            "promptTokenCount": 500,
            "candidatesTokenCount": 20,
            "thoughtsTokenCount": 80,
            "toolUsePromptTokenCount": 7,
            "totalTokenCount": 607,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 100},
                {"modality": "AUDIO", "tokenCount": 400},
            ],
        },
        TokenUsage(507, 100, 0, 0, 0, 80),
        {"input_audio_tokens": 400, "input_tool_tokens": 7},
        (),
    ),
    (
        "Groq",
        {
            "queue_time": 0.1,
            "prompt_tokens": 750,
            "completion_tokens": 250,
            "total_tokens": 1000,
            "total_time": 0.51,
        },
        TokenUsage(750, 250),
        {},
        (),
    ),
    (
        "seconds",
        {"type": "duration", "seconds": 600},
        TokenUsage(),
        {"input_audio_milliseconds": 600_000},
        (),
    ),
    (
        "a counter of tomorrow",
        {"prompt_tokens": 5, "completion_tokens": 1, "quantum_tokens": 3, "details": {"new": 0}},
        TokenUsage(5, 1),
        {},
        ("quantum_tokens",),
    ),
    ("nothing", {"queue_time": 1.5, "note": "none"}, None, {}, ()),
]


@pytest.mark.parametrize(
    ("usage", "tokens", "meters", "unread"),
    [shape[1:] for shape in SHAPES],
    ids=[shape[0] for shape in SHAPES],
)
def test_usage_objects_of_every_provider(
    usage: dict[str, Any],
    tokens: TokenUsage | None,
    meters: dict[str, int],
    unread: tuple[str, ...],
) -> None:
    assert read_counters(usage) == (tokens, meters, unread)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"cost": 0.0021}, "0.0021"),
        ({"cost": {"input_tokens_cost": 0.1, "total_cost": 0.630606}}, "0.630606"),
        ({"cost_in_usd_ticks": 37_756_000}, "0.0037756"),
        (
            {
                "cost": 0,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.0360795},
            },
            "0.0360795",
        ),
        ({"cost": 0.5, "is_byok": False, "cost_details": {"upstream_inference_cost": None}}, "0.5"),
        ({"cost": 0}, "0"),
        ({}, None),
        ({"cost": "much"}, None),
    ],
)
def test_reported_cost_in_every_form(usage: dict[str, Any], usd: str | None) -> None:
    from decimal import Decimal

    assert read_cost(usage) == (None if usd is None else int(Decimal(usd).scaleb(12)))


numbers = st.one_of(st.integers(-5, MAX_TOKENS), st.floats(), st.text(max_size=3), st.none())
objects = st.recursive(
    numbers, lambda inner: st.dictionaries(st.text(max_size=9), inner) | st.lists(inner)
)


@given(
    st.dictionaries(st.text(max_size=20) | st.sampled_from(["prompt_tokens", "seconds"]), objects)
)
def test_arbitrary_usage_objects_do_not_crash(usage: dict[str, Any]) -> None:
    counted = read_counters(usage)
    read_cost(usage)

    assert counted.meters.keys() <= METERS.keys()
    if counted.usage:
        assert min(counted.usage) >= 0
