"""A reservation is at least what the request can cost, as far as it states that."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories import NOW

from outlay.domain.errors import NotPermitted
from outlay.domain.money import MAX_PUSD
from outlay.domain.usage import MAX_TOKENS, TokenUsage
from outlay.kit.clock import to_us
from outlay.pricing.book import PriceBook
from outlay.pricing.entries import Numbered
from outlay.pricing.overrides import Overrides, read_entries
from outlay.services.gateway.reservation import MEDIA_OUTPUT, UNLISTED_OUTPUT, highest_cost
from outlay.wire.call import parse_form_call, parse_json_call

NOW_US: Final = to_us(NOW)
BOOK: Final = PriceBook()
MESSAGES: Final = [{"role": "user", "content": "hi"}]

# gpt-5.5 costs 30 USD per million tokens of output, gpt-4o 10; at most 128,000 and 16,384 tokens.
OUTPUT: Final = {"gpt-5.5": 30_000_000, "gpt-4o": 10_000_000}


def priced(model: str, output: str) -> PriceBook:
    """A book with the price of a model's output, in USD per million tokens."""
    entry = {"model": model, "output": output}
    return PriceBook(Overrides(prices=read_entries([Numbered(1, "price 1", "own", entry)])))


def held(
    body: Mapping[str, Any] | bytes,
    *,
    model: str = "gpt-5.5",
    provider: str = "openai",
    operation: str = "chat",
    book: PriceBook = BOOK,
) -> int:
    """Pico-USD reserved for a body."""
    raw = body if isinstance(body, bytes) else json.dumps({"model": model, **body}).encode()
    return highest_cost(
        book,
        provider=provider,
        mapping=f"{provider}/{model}",
        at_us=NOW_US,
        operation=operation,
        call=parse_json_call(raw),
    )


def output_held(body: Mapping[str, Any] | bytes, **changes: Any) -> int:
    """Reserved output tokens, rounded: the input of the bodies here is small."""
    return held(body, **changes) // OUTPUT[changes.get("model", "gpt-5.5")]


STATED: list[tuple[str, dict[str, Any], int]] = [
    ("chat", {"max_tokens": 100_000}, 100_000),
    ("chat", {"max_completion_tokens": 7_000}, 7_000),
    ("chat", {"max_tokens": 10, "max_completion_tokens": 9_000}, 9_000),
    ("chat", {"max_tokens": 9_000, "max_completion_tokens": 10}, 9_000),
    ("chat", {"max_tokens": 9_000, "max_output_tokens": 10}, 9_000),
    ("chat", {"max_tokens": 1, "MAX_TOKENS": 9_000}, 9_000),
    ("chat", {"max_tokens": 1, "maxTokens": 9_000}, 9_000),
    ("chat", {"max_tokens": 1, "max_new_tokens": "9000"}, 9_000),
    ("chat", {"max_tokens": 1, "options": {"num_predict": 9_000}}, 9_000),
    ("chat", {"max_tokens": 1, "reasoning": {"max_tokens": 9_000}}, 9_000),
    ("chat", {"max_tokens": 1, "thinking": {"budget_tokens": 9_000}}, 9_000),
    ("chat", {"max_tokens": 1_000, "thinking_budget": 9_000}, 10_000),
    ("chat", {"max_tokens": 1_000, "n": 20}, 20_000),
    ("chat", {"max_tokens": 1_000, "n": "20"}, 20_000),
    ("chat", {"max_tokens": 1_000, "n": 19.5}, 20_000),
    ("chat", {"max_tokens": 1_000, "n": 0}, 1_000),
    ("chat", {"max_tokens": 1_000, "metadata": {"n": 500}}, 1_000),
    ("text_completion", {"max_tokens": 1_000, "best_of": 20, "n": 2}, 20_000),
    ("text_completion", {"max_tokens": 1_000, "prompt": ["a", "b", "c"]}, 3_000),
    ("text_completion", {"max_tokens": 1_000, "prompt": [[1, 2], [3]], "n": 2}, 4_000),
    ("text_completion", {"max_tokens": 1_000, "prompt": [1, 2, 3]}, 1_000),
    ("responses", {"max_output_tokens": 5_000}, 5_000),
    ("responses", {"max_output_tokens": 5_000, "max_tokens": 100_000}, 100_000),
    ("chat", {"max_tokens": 500_000}, 500_000),
]

UNBOUNDED: list[tuple[str, dict[str, Any]]] = [
    ("chat", {}),
    ("chat", {"max_tokens": None}),
    ("chat", {"max_tokens": 0}),
    ("chat", {"max_tokens": -1}),
    ("chat", {"max_tokens": 5, "max_completion_tokens": -1}),
    ("chat", {"max_tokens": 5, "max_output_tokens": 0}),
    ("chat", {"max_tokens": "many"}),
    ("chat", {"max_tokens": "100"}),
    ("chat", {"max_tokens": True}),
    ("chat", {"max_tokens": [5]}),
    ("chat", {"max_tokens": 5, "options": {"num_predict": -2}}),
    ("chat", {"max_output_tokens": 5}),
    ("chat", {"max_tokens_to_sample": 5}),
    ("chat", {"reasoning": {"max_tokens": 5}}),
    ("chat", {"MAX_TOKENS": 5}),
    ("responses", {"max_tokens": 5}),
    ("text_completion", {"max_completion_tokens": 5}),
]


@pytest.mark.parametrize(("operation", "body", "tokens"), STATED)
def test_largest_stated_maximum_is_reserved(
    operation: str, body: dict[str, Any], tokens: int
) -> None:
    assert output_held(body, operation=operation) == pytest.approx(tokens, abs=60)


@pytest.mark.parametrize(("operation", "body"), UNBOUNDED)
def test_model_maximum_is_reserved_without_an_effective_maximum(
    operation: str, body: dict[str, Any]
) -> None:
    assert output_held(body, operation=operation) == pytest.approx(128_000, abs=60)
    assert output_held(body, operation=operation, model="gpt-4o") == pytest.approx(16_384, abs=60)


def test_newer_maximum_name_counts_only_where_supported() -> None:
    book = priced("gpt-4o", "10")
    body = {"max_completion_tokens": 5}
    assert output_held(body, model="gpt-4o") < 100
    assert output_held(body, model="gpt-4o", provider="deepseek", book=book) == 16_384


@pytest.mark.parametrize(
    "members",
    [
        '"max_tokens": 9000, "max_tokens": 1',
        '"max\\u005ftokens": 9000, "max_tokens": 1',
        '"n": 9000, "n": 1, "max_tokens": 1',
        '"max_tokens": 1, "options": {"num_predict": 9000, "num_predict": 1}',
    ],
)
def test_duplicate_member_counts_twice(members: str) -> None:
    body = f'{{"model": "gpt-5.5", {members}}}'.encode()
    assert output_held(body) == pytest.approx(9_000, abs=60)


def test_absurd_numbers_exceed_any_limit() -> None:
    for most in (10**30, 1e300, "9" * 30, 10**18):
        assert held({"max_tokens": most, "n": 10**9}) >= MAX_TOKENS * 30_000_000
    dear = priced("gpt-5.5", "100000")
    assert held({"max_tokens": 10**30}, book=dear) == MAX_PUSD


def test_requested_expensive_tier_is_reserved() -> None:
    usual = held({"max_tokens": 1_000})
    assert held({"max_tokens": 1_000, "service_tier": "priority"}) > 1.2 * usual
    assert held({"max_tokens": 1_000, "service_tier": "flex"}) == pytest.approx(usual, rel=0.01)
    assert held({"max_tokens": 1_000, "service_tier": "nope"}) == pytest.approx(usual, rel=0.01)
    claude: Any = {"model": "claude-opus-4-6", "provider": "anthropic"}
    fast = held({"max_tokens": 1_000, "speed": "fast"}, **claude)
    assert fast > held({"max_tokens": 1_000}, **claude)


def test_input_is_reserved_at_the_highest_rate() -> None:
    text = "x" * 400_000
    usage = TokenUsage(100_000, 0, 0, 100_000, 100_000, 0)
    for ttl, write_1h in (({}, 0), ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, 1)):
        body = {"max_tokens": 1, "messages": [{"role": "user", "content": text, **ttl}]}
        amount = held(body, model="claude-sonnet-4-5", provider="anthropic")
        expected = BOOK.price(
            provider="anthropic",
            mapping="anthropic/claude-sonnet-4-5",
            at_us=NOW_US,
            usage=usage._replace(cache_write_1h_input_tokens=100_000 * write_1h),
        ).cost_pusd
        assert expected <= amount < expected * 1.01


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": list(range(30_000))},
        {"functions": [{"name": "f", "parameters": {"properties": {"x" * 120_000: {}}}}]},
        {"input": [{"type": "document", "source": {"type": "text", "data": "x" * 120_000}}]},
        {"anything": {"at": ["all", "x" * 120_000]}},
        {"messages": [{"content": [{"image_url": {"url": "data:,"}}] * 6}]},
    ],
)
def test_all_possible_input_is_reserved(body: dict[str, Any]) -> None:
    assert held({"max_tokens": 1, **body}) >= 30_000 * 5_000_000


def test_embeddings_reserve_only_input() -> None:
    model: Any = {"model": "text-embedding-3-small", "operation": "embeddings"}
    assert 0 < held({"input": "x" * 4_000}, **model) < 100_000_000


def test_unlisted_model_uses_the_default_maximum() -> None:
    book = priced("own-model", "1")
    own: Any = {"book": book, "model": "own-model", "provider": "acme"}
    assert held({}, **own) == UNLISTED_OUTPUT * 1_000_000
    assert held({"n": 3}, operation="image_generation", **own) == 3 * MEDIA_OUTPUT * 1_000_000
    form = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nown-model\r\n--b--'
    call = parse_form_call(form, "multipart/form-data; boundary=b")
    amount = highest_cost(
        book,
        provider="acme",
        mapping="own-model",
        at_us=NOW_US,
        operation="transcription",
        call=call,
    )
    assert amount == MEDIA_OUTPUT * 1_000_000


def test_unpriced_model_cannot_be_reserved() -> None:
    with pytest.raises(NotPermitted) as caught:
        held({}, model="unheard-of")
    assert caught.value.code == "model-unpriced"


NAMES = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "max_new_tokens",
    "MAX_TOKENS",
    "maxOutputTokens",
    "num_predict",
)
NUMBERS = st.one_of(
    st.none(),
    st.integers(-5, 200_000),
    st.integers(0, 200_000).map(str),
    st.floats(-5, 200_000),
    st.sampled_from(["", "x", True, [], {}]),
)


def lenient(value: Any) -> int | None:
    """What a lenient server takes for a maximum; None for no maximum."""
    try:
        number = int(float(value)) if isinstance(value, int | float | str) else 0
    except ValueError:
        return None
    return number if number > 0 else None


@given(
    body=st.dictionaries(st.sampled_from(NAMES), NUMBERS),
    choices=st.dictionaries(st.sampled_from(["n", "best_of"]), NUMBERS),
    preference=st.permutations(NAMES),
    known=st.sets(st.sampled_from(NAMES)),
)
def test_no_server_answers_with_more_than_reserved(
    body: dict[str, Any], choices: dict[str, Any], preference: list[str], known: set[str]
) -> None:
    """Whatever a server calls its maximum, in whichever order it looks, and however lenient it is.

    It knows OpenAI's two names, otherwise it would not be compatible.
    """
    known |= {"max_tokens", "max_completion_tokens"}
    stated = [body[name] for name in preference if name in known and body.get(name) is not None]
    answers = max([1, *(lenient(value) or 1 for value in choices.values())])
    most = (lenient(stated[0]) if stated else None) or 128_000
    usage = TokenUsage(1, min(most * answers, MAX_TOKENS))
    cost = BOOK.price(
        provider="openai", mapping="openai/gpt-5.5", at_us=NOW_US, usage=usage
    ).cost_pusd
    assert held({**body, **choices, "messages": MESSAGES}) >= cost
