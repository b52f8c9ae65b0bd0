"""Token counts in the formats of all providers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.usage import MAX_TOKENS, TokenUsage
from outlay.wire.answer import Answer
from outlay.wire.answer_reader import MAX_ANSWER_BYTES, BodyReader, StreamReader
from outlay.wire.anthropic.messages import MESSAGES
from outlay.wire.anthropic.messages import parse_usage as parse_anthropic
from outlay.wire.counters import read_cost, read_counters
from outlay.wire.openai.chat import CHAT

OPENAI: list[tuple[dict[str, Any], TokenUsage | None]] = [
    ({"prompt_tokens": 10, "completion_tokens": 5}, TokenUsage(10, 5)),
    ({"input_tokens": 10, "output_tokens": 5}, TokenUsage(10, 5)),
    ({"prompt_tokens": 10, "total_tokens": 10}, TokenUsage(10, 0)),
    ({"prompt_tokens": 10}, None),
    ({}, None),
    ({"prompt_tokens": None, "completion_tokens": None}, None),
    (
        {
            "prompt_tokens": 1200,
            "completion_tokens": 300,
            "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 256},
        },
        TokenUsage(1200, 300, 1024, 0, 0, 256),
    ),
    (
        {"prompt_tokens": 20, "completion_tokens": 5, "prompt_cache_hit_tokens": 16},
        TokenUsage(20, 5, 16),
    ),
    (
        # Counted separately from the completion: the total shows it.
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 115,
            "completion_tokens_details": {"reasoning_tokens": 100},
        },
        TokenUsage(10, 105, 0, 0, 0, 100),
    ),
    ({"prompt_tokens": 10.0, "completion_tokens": 5}, TokenUsage(10, 5)),
    ({"prompt_tokens": True, "completion_tokens": 5}, None),
    ({"prompt_tokens": -1, "completion_tokens": 5}, None),
    ({"prompt_tokens": MAX_TOKENS + 1, "completion_tokens": 5}, None),
    (
        # An implausible part does not spoil the whole.
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": "many"},
        },
        TokenUsage(10, 5),
    ),
    ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": 7}, TokenUsage(10, 5)),
]


@pytest.mark.parametrize(("usage", "expected"), OPENAI)
def test_openai(usage: dict[str, Any], expected: TokenUsage | None) -> None:
    assert read_counters(usage).usage == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        "prompt_tokens",
        "completion_tokens",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation",
    ]
)


@given(st.dictionaries(NAMES, JSON))
def test_arbitrary_usage_stays_in_range(usage: dict[str, Any]) -> None:
    for found in (read_counters(usage).usage, parse_anthropic(usage)):
        if found is not None:
            assert all(type(count) is int and count >= 0 for count in found)


@given(JSON)
def test_arbitrary_events_do_not_crash_a_reader(fields: Any) -> None:
    for form in (CHAT, MESSAGES):
        for read in (form.read_event, form.read_body):
            if isinstance(fields, dict):
                read(Answer(), fields)
    for kind in ("message_start", "message_delta", "content_block_delta", "error"):
        MESSAGES.read_event(
            Answer(), {"type": kind, "message": fields, "usage": fields, "delta": fields}
        )
    CHAT.read_event(Answer(), {"choices": fields, "usage": fields, "id": fields, "error": fields})


def test_anthropic_input_includes_the_cache() -> None:
    usage = {
        "input_tokens": 7,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
        "output_tokens": 4,
    }
    assert parse_anthropic(usage) == TokenUsage(137, 4, 100, 30, 10, 0)


def test_anthropic_deltas_replace_initial_counts() -> None:
    reader = StreamReader(MESSAGES)
    reader.feed(
        b'data: {"type":"message_start","message":{"id":"m","model":"c","usage":'
        b'{"input_tokens":10,"output_tokens":1,"cache_read_input_tokens":5}}}\n\n'
    )
    assert reader.answer.usage is None
    assert reader.answer.usage_so_far == TokenUsage(15, 1, 5)
    reader.feed(
        b'data: {"type":"message_delta","usage":{"output_tokens":9,"input_tokens":12}}\n\n'
        b'data: {"type":"message_stop"}\n\n'
    )
    assert reader.answer.usage == TokenUsage(17, 9, 5)
    assert reader.answer.is_complete


def test_fast_path_and_general_reader_agree() -> None:
    usual = (
        b'{"id":"x","model":"m","service_tier":"flex","choices":[{"message":{"content":"hi"}}],'
        b'"usage":{"prompt_tokens":3,"completion_tokens":2,"cost":0.5}}'
    )
    unusual = usual.replace(b'"prompt_tokens":3', b'"prompt_tokens":3.0')
    answers = []
    for body in (usual, unusual):
        reader = BodyReader(CHAT)
        reader.feed(body)
        reader.finish()
        answers.append(reader.answer)
    for name in ("usage", "response_id", "response_model", "price_context", "reported_cost_pusd"):
        assert getattr(answers[0], name) == getattr(answers[1], name)
    assert answers[0].usage == TokenUsage(3, 2)
    assert answers[0].reported_cost_pusd == 500_000_000_000


def test_usage_at_the_end_of_a_long_body_is_found() -> None:
    reader = BodyReader(CHAT)
    reader.feed(b'{"data":[' + b"0.5," * (MAX_ANSWER_BYTES // 4))
    reader.feed(b'0.5],"usage":{"prompt_tokens":8,"total_tokens":8}}')
    reader.finish()
    assert reader.answer.usage == TokenUsage(8, 0)


@pytest.mark.parametrize(
    ("cost", "pusd"),
    [
        (1.4499999999999999e-05, 14_500_000),  # a product of floats, as OpenRouter sends them
        ("0.000014499999999999999", 14_500_000),
        (0.1234567890123, 123_456_789_012),
        (0.0000000000005, 0),  # half a pico-dollar: rounded to even
        (0.0000000000015, 2),
        (3, 3_000_000_000_000),
        (-0.5, None),
        (float("nan"), None),
        (True, None),
        ("free", None),
    ],
)
def test_reported_cost_with_many_digits_is_accepted(cost: object, pusd: int | None) -> None:
    assert read_cost({"cost": cost}) == pusd
