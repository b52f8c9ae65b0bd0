"""The price book prices an event at its own time; overrides win over the list; unknown is not
free."""

import subprocess
import sys
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.errors import Invalid
from outlay.domain.event import CostSource
from outlay.domain.money import MAX_PUSD
from outlay.domain.usage import MAX_TOKENS, TokenUsage, settle_tokens
from outlay.kit.clock import to_us
from outlay.pricing import book as book_module
from outlay.pricing.book import UNPRICED, PriceBook, PricedUsage
from outlay.pricing.own_data import OWN_DATA

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
MILLION = TokenUsage(1_000_000, 0)


def price(
    book: PriceBook,
    mapping: str,
    usage: TokenUsage,
    at: datetime = AT,
    context: dict[str, str] | None = None,
) -> PricedUsage:
    return book.price(
        provider=mapping.partition("/")[0],
        mapping=mapping,
        at_us=to_us(at),
        usage=usage,
        context=context,
    )


def load(tmp_path: Path, text: str) -> PriceBook:
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return PriceBook.load(path)


@pytest.mark.parametrize(
    ("mapping", "usage", "dollars"),
    [
        ("openai/gpt-4o", TokenUsage(1_000_000, 100_000), "3.50"),
        ("anthropic/claude-opus-4-5", TokenUsage(1_000_000, 0, 600_000, 100_000), "2.425"),
        ("anthropic/claude-opus-4-5", TokenUsage(100_000, 0, 0, 100_000, 100_000), "1.00"),
        ("openai/gpt-5.5", TokenUsage(272_000, 0), "1.36"),
        ("openai/gpt-5.5", TokenUsage(272_001, 0), "2.72001"),
    ],
)
def test_known_bills_are_exact(mapping: str, usage: TokenUsage, dollars: str) -> None:
    priced = price(PriceBook(), mapping, usage)

    assert Decimal(priced.cost_pusd).scaleb(-12) == Decimal(dollars)
    assert priced.cost_source is CostSource.COMPUTED


def test_price_has_its_parts_and_reference() -> None:
    priced = price(PriceBook(), "openai/gpt-5.5", TokenUsage(1_000, 100, 400))

    assert priced[:7] == (
        600 * 5_000_000 + 400 * 500_000 + 100 * 30_000_000,
        600 * 5_000_000,
        400 * 500_000,
        0,
        100 * 30_000_000,
        CostSource.COMPUTED,
        "genai-prices:0.2.3/openai/gpt-5.5",
    )


def test_price_cut_applies_from_its_date() -> None:
    book = PriceBook()

    after = price(book, "openai/o3", MILLION, datetime(2025, 6, 10, tzinfo=UTC))
    before = price(book, "openai/o3", MILLION, datetime(2025, 6, 9, 23, 59, tzinfo=UTC))
    again = price(book, "openai/o3", MILLION, datetime(2025, 6, 10, tzinfo=UTC))

    assert after == again
    assert (before.cost_pusd, after.cost_pusd) == (10 * 10**12, 2 * 10**12)


def test_contexts_are_cached_separately() -> None:
    book = PriceBook()

    costs = [
        price(book, "openai/gpt-5.4-mini", MILLION, context=context).cost_pusd
        for context in (None, {"service_tier": "flex"}, {"processing": "batch"}, {}, None)
    ]

    assert costs[0] == 2 * costs[1] == 2 * costs[2] == costs[3] == costs[4]


@pytest.mark.parametrize("mapping", ["acme/house-model", "nobody/nothing", "x/", "/y", "", "/"])
def test_unknown_models_are_unpriced_rather_than_free(mapping: str) -> None:
    priced = price(PriceBook(), mapping, TokenUsage(1000, 1000))

    assert priced == UNPRICED
    assert (priced.cost_pusd, priced.cost_source, priced.price_ref) == (0, CostSource.UNPRICED, "")


def test_contradictory_counts_are_priced_after_settling() -> None:
    settled, is_adjusted = settle_tokens(TokenUsage(1_000, 10, 5_000, 5_000, 0, 50))

    priced = price(PriceBook(), "openai/gpt-5.5", settled)

    assert is_adjusted
    assert (priced.input_cost_pusd, priced.cache_write_cost_pusd) == (0, 0)
    assert priced.cache_read_cost_pusd == 1_000 * 500_000


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_parts_of_a_cost_add_up(input_tokens: int, output_tokens: int) -> None:
    usage = TokenUsage(input_tokens, output_tokens, input_tokens // 3, input_tokens // 5)

    priced = price(PriceBook(), "openai/gpt-4o", usage)

    assert priced.cost_pusd == sum(priced[1:5])


OVERRIDES = """
[aliases]
"My-Fast-Model" = "gpt-4o"

[[price]]
model = "gpt-4o"
input = "1.00"
output = "4.00"
effective_from = 2026-11-01
effective_to = 2026-12-01

[[price]]
model = "openai/gpt-4o"
provider = "openai"
input = "0.50"
output = 2
effective_from = 2026-11-15

  [[price.tier]]
  above = 100000
  input = "5"

[[price]]
model = "house-model"
input = "0"
output = "0"
"""


@pytest.fixture
def overridden(tmp_path: Path) -> PriceBook:
    return load(tmp_path, OVERRIDES)


def test_overrides_win_only_within_their_period(overridden: PriceBook) -> None:
    usage = TokenUsage(1000, 0)
    last_of_november = datetime(2026, 11, 30, 23, 59, 59, 999_999, UTC)

    found = [
        price(overridden, "azure/gpt-4o", usage, at)
        for at in (
            datetime(2026, 10, 31, tzinfo=UTC),
            datetime(2026, 11, 1, tzinfo=UTC),
            last_of_november,
            datetime(2026, 12, 1, tzinfo=UTC),
        )
    ]

    assert [priced.cost_pusd for priced in found] == [
        2_500_000_000,
        1_000_000_000,
        1_000_000_000,
        2_500_000_000,
    ]
    listed = f"genai-prices:0.2.3/azure/gpt-4o?list=openai&own={OWN_DATA}"
    assert [priced.price_ref for priced in found] == [
        listed,
        "override:1",
        "override:1",
        listed,
    ]


def test_more_specific_override_wins_and_uses_its_tier(overridden: PriceBook) -> None:
    small = price(overridden, "openai/gpt-4o", TokenUsage(100_000, 0))
    large = price(overridden, "openai/gpt-4o", TokenUsage(100_001, 0))

    assert (small.cost_pusd, small.price_ref) == (100_000 * 500_000, "override:2")
    assert (large.cost_pusd, large.cost_source) == (100_001 * 5_000_000, CostSource.OVERRIDE)


def test_free_model_costs_zero_and_is_not_unpriced(overridden: PriceBook) -> None:
    priced = price(overridden, "acme/house-model", TokenUsage(9, 9))

    assert (priced.cost_pusd, priced.cost_source) == (0, CostSource.OVERRIDE)


def test_alias_is_priced_and_shown_as_its_model(overridden: PriceBook) -> None:
    october = datetime(2026, 10, 1, tzinfo=UTC)

    listed = price(overridden, "openai/my-fast-model", MILLION, october)
    override = price(overridden, "azure/my-fast-model", MILLION)

    assert overridden.canonical_model("openai/my-fast-model") == "gpt-4o"
    assert (listed.cost_pusd, listed.cost_source) == (2_500_000_000_000, CostSource.COMPUTED)
    assert (override.cost_pusd, override.price_ref) == (10**12, "override:1")


def test_errors_in_the_file_refuse_the_book(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"prices\.toml has errors:\n  price 1, input"):
        load(tmp_path, '[[price]]\nmodel = "x"\n')


def test_too_large_cost_names_its_price(tmp_path: Path) -> None:
    book = load(tmp_path, '[[price]]\nmodel = "x"\ninput = 10000\n')
    enough = MAX_PUSD // 10**10

    assert price(book, "acme/x", TokenUsage(enough)).cost_pusd == MAX_PUSD
    with pytest.raises(Invalid, match="override:1") as caught:
        price(book, "acme/x", TokenUsage(MAX_TOKENS))
    assert caught.value.code == "cost-too-large"


def test_hostile_names_do_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_CACHED", 50)
    book = PriceBook()

    for number in range(500):
        price(book, f"acme/model-{number}", TokenUsage(1, 1))
        price(book, "openai/gpt-4o", TokenUsage(1, 1), context={"tag": str(number)})
        book.canonical_model(f"acme/model-{number}")

    assert len(book._applied) <= 50
    assert len(book._models) <= 50


def test_prices_by_time_of_day_do_not_fill_memory() -> None:
    book = PriceBook()

    for day in range(1, 31):
        for hour in range(24):
            at = datetime(2026, 9, day, hour, tzinfo=UTC)
            price(book, "deepseek/deepseek-v4-flash", MILLION, at)

    assert [len(spans) for spans in book._applied.values()] == [book_module.MAX_SPANS]


def test_book_is_thread_safe() -> None:
    book = PriceBook()
    found: list[tuple[str, PricedUsage]] = []
    mappings = ("openai/gpt-4o", "acme/x", "anthropic/claude-opus-4-5") * 50

    def work() -> None:
        found.extend((mapping, price(book, mapping, MILLION)) for mapping in mappings)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 600
    assert len(set(found)) == 3


def test_list_is_loaded_on_demand() -> None:
    script = (
        "import sys; from outlay.pricing.book import PriceBook; PriceBook.load(); "
        "sys.exit('genai_prices' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_percentage_keeps_cache_tier_context_and_meter_rates(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('[[price]]\nprovider = "openai"\npercent_of_list = "85"\n')
    usage = TokenUsage(300_000, 2_000, 100_000)
    questions: list[dict[str, Any]] = [
        {"usage": usage},
        {"usage": usage._replace(input_tokens=120_000)},
        {"usage": usage, "context": {"processing": "batch"}},
        {"usage": usage, "meters": {"web_searches": 3}},
    ]

    for question in questions:
        asked = {"provider": "openai", "mapping": "openai/gpt-5.5", "at_us": to_us(AT), **question}
        listed, agreed = PriceBook().price(**asked), PriceBook.load(path).price(**asked)
        assert agreed.cost_pusd * 100 == listed.cost_pusd * 85
        assert agreed.cost_source is CostSource.OVERRIDE
        assert agreed.price_ref == f"override:1*{listed.price_ref}"


def test_meters_have_their_own_prices(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(
        '[[price]]\nmodel = "acme/x"\ninput = "1"\n'
        'meters = { web_searches = "8", output_images = "0.04" }\n'
    )
    book = PriceBook.load(path)

    found = book.price(
        provider="acme",
        mapping="acme/x",
        at_us=to_us(AT),
        usage=TokenUsage(1_000),
        meters={"web_searches": 5, "output_images": 2, "code_sessions": 1},
    )

    assert dict(found.meter_costs) == {
        "web_searches": 40_000_000_000,
        "output_images": 80_000_000_000,
    }
    assert found.cost_pusd == 121_000_000_000
    assert (found.cost_source, found.unpriced_parts) == (CostSource.PARTIAL, ("code_sessions",))
