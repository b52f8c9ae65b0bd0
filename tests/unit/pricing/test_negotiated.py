"""Percentages of the list, prices of meters only, other currencies."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.errors import Invalid
from outlay.domain.event import CostSource
from outlay.domain.usage import TokenUsage
from outlay.kit.clock import to_us
from outlay.pricing.book import PriceBook, PricedUsage
from outlay.pricing.exchange import Conversion
from outlay.pricing.overrides import read_overrides
from outlay.pricing.rates import Shares

USD = 10**12
AT = datetime(2026, 11, 20, tzinfo=UTC)
MODEL = "anthropic/claude-sonnet-4-5"
MILLION = TokenUsage(100_000, 1_000_000, 50_000, 20_000, 10_000, 0)


def book(tmp_path: Path, text: str) -> PriceBook:
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return PriceBook.load(path)


def price(
    book: PriceBook,
    mapping: str = MODEL,
    at: datetime = AT,
    usage: TokenUsage = MILLION,
    meters: Mapping[str, int] | None = None,
) -> PricedUsage:
    return book.price(
        provider=mapping.partition("/")[0],
        mapping=mapping,
        at_us=to_us(at),
        usage=usage,
        meters=meters or {},
    )


def fault(tmp_path: Path, text: str) -> str:
    with pytest.raises(Invalid) as caught:
        book(tmp_path, text)
    _, message = caught.value.message.splitlines()
    return message.strip()


def test_percentage_keeps_proportions_of_cache_tiers_and_meters(tmp_path: Path) -> None:
    listed, agreed = (
        PriceBook(),
        book(tmp_path, '[[price]]\nprovider = "anthropic"\npercent_of_list = "85"\n'),
    )
    for size in (100_000, 300_000):
        usage = MILLION._replace(input_tokens=size)
        before = price(listed, usage=usage, meters={"web_searches": 1000})
        after = price(agreed, usage=usage, meters={"web_searches": 1000})
        for name in ("cost_pusd", "cache_read_cost_pusd", "meter_cost_pusd", "output_cost_pusd"):
            assert getattr(after, name) * 100 == getattr(before, name) * 85
        assert after.price_ref == f"override:1*{before.price_ref}"


def test_single_prices_and_meters_can_have_percentages(tmp_path: Path) -> None:
    agreed = book(
        tmp_path,
        """
        [[price]]
        provider = "anthropic"
        percent_of_list = "85"
        percents = { output = "50", web_searches = "100", cache_write = "200" }
        """,
    )
    before = price(PriceBook(), meters={"web_searches": 1000})
    after = price(agreed, meters={"web_searches": 1000})

    assert after.input_cost_pusd * 100 == before.input_cost_pusd * 85
    assert after.cache_read_cost_pusd * 100 == before.cache_read_cost_pusd * 85
    assert after.cache_write_cost_pusd == before.cache_write_cost_pusd * 2
    assert after.output_cost_pusd * 2 == before.output_cost_pusd
    assert after.meter_cost_pusd == before.meter_cost_pusd == 10 * USD


def test_percentage_falls_back_to_that_of_the_whole() -> None:
    shares = Shares(
        Decimal(90), {"input": Decimal(80), "cache_write": Decimal(70), "output": Decimal(60)}
    )

    assert [shares.of(name) for name in ("input", "cache_read", "cache_write_1h")] == [80, 80, 70]
    assert [shares.of(name) for name in ("reasoning", "per_request", "web_searches")] == [
        60,
        90,
        90,
    ]
    assert shares.of("cache_audio_read_tokens") == shares.of("input_audio_tokens") == 80


def test_meter_only_price_keeps_other_prices(tmp_path: Path) -> None:
    agreed = book(
        tmp_path,
        """
        [[price]]
        provider = "anthropic"
        percent_of_list = "85"
        [[price]]
        provider = "anthropic"
        meters = { web_searches = "8" }
        """,
    )
    before, after = price(PriceBook()), price(agreed, meters={"web_searches": 1000})

    assert after.meter_costs == (("web_searches", 8 * USD),)
    assert (after.cost_pusd - 8 * USD) * 100 == before.cost_pusd * 85
    assert after.price_ref == f"override:1*{before.price_ref}+override:2"
    assert after.cost_source is CostSource.OVERRIDE


def test_own_meters_of_a_price_win_over_general_ones(tmp_path: Path) -> None:
    agreed = book(
        tmp_path,
        f"""
        [[price]]
        model = "{MODEL}"
        input = "1"
        output = "2"
        meters = {{ web_searches = "3" }}
        [[price]]
        provider = "anthropic"
        meters = {{ web_searches = "8", code_executions = "5" }}
        """,
    )
    priced = price(agreed, meters={"web_searches": 1000, "code_executions": 1000})

    assert dict(priced.meter_costs) == {"web_searches": 3 * USD, "code_executions": 5 * USD}


def test_unpriced_tokens_are_marked_and_never_free(tmp_path: Path) -> None:
    agreed = book(
        tmp_path,
        """
        [[price]]
        model = "x/speech"
        meters = { audio_milliseconds = "0.36" }
        [[price]]
        model = "x/half"
        input = "1"
        [[price]]
        provider = "x"
        meters = { web_searches = "8" }
        [[price]]
        model = "x/flat"
        per_request = "1"
        """,
    )
    by_time = price(
        agreed, "x/speech", usage=TokenUsage(), meters={"audio_milliseconds": 3_600_000}
    )
    with_tokens = price(agreed, "x/speech")
    half = price(agreed, "x/half")

    assert (by_time.cost_pusd, by_time.cost_source) == (36 * USD // 100, CostSource.OVERRIDE)
    assert with_tokens.cost_source is CostSource.PARTIAL
    assert set(with_tokens.unpriced_parts) == {"input_tokens", "output_tokens"}
    assert (half.cost_source, half.unpriced_parts) == (CostSource.PARTIAL, ("output_tokens",))
    assert price(agreed, "x/other").cost_source is CostSource.UNPRICED
    assert price(agreed, "x/flat").cost_source is CostSource.OVERRIDE


EUROS = """
[[exchange_rate]]
currency = "EUR"
usd = "1.0842"
[[exchange_rate]]
currency = "eur"
effective_from = 2026-11-01
usd = "1.1"
[[price]]
model = "x/y"
currency = "EUR"
input = "2"
output = "0.000000000001"
meters = { web_searches = "10" }
  [[price.tier]]
  above = 200000
  input = "4"
"""


def test_price_in_another_currency_uses_the_rate_of_the_day(tmp_path: Path) -> None:
    agreed = book(tmp_path, EUROS)
    usage, meters = TokenUsage(input_tokens=200_000), {"web_searches": 100}
    october = price(agreed, "x/y", datetime(2026, 10, 31, 23, 59, tzinfo=UTC), usage, meters)
    november = price(agreed, "x/y", datetime(2026, 11, 1, tzinfo=UTC), usage, meters)
    large = price(agreed, "x/y", usage=TokenUsage(input_tokens=1_000_000))

    assert october.input_cost_pusd == 2 * 1_084_200_000_000 // 5
    assert october.meter_cost_pusd == 1_084_200_000_000
    assert october.price_ref == "override:1:EUR@1.0842"
    assert november.input_cost_pusd == 2 * 1_100_000_000_000 // 5
    assert november.price_ref == "override:1:EUR@1.1"
    assert large.input_cost_pusd == 4 * 1_100_000_000_000


amounts = st.decimals(min_value=0, max_value=10**10, places=12, allow_nan=False)
rates = st.decimals(min_value="0.000001", max_value=100, places=12, allow_nan=False)


@given(amount=amounts, rate=rates)
def test_conversion_is_exact_up_to_one_rounding(amount: Decimal, rate: Decimal) -> None:
    exact = Context(prec=80)
    expected = exact.multiply(amount, rate).quantize(Decimal("1e-12"), ROUND_HALF_EVEN, exact)

    assert Conversion("EUR", rate).of(amount) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'currency = "EURO"\ninput = "1"',
            "currency: 'EURO' is not an ISO 4217 currency code such as EUR.",
        ),
        (
            'currency = "GBP"\ninput = "1"',
            "currency: There is no exchange rate for GBP. Add one first.",
        ),
        (
            'currency = "EUR"\ninput = "1"\neffective_from = 2026-09-01',
            "currency: The price starts on 2026-09-01, but the first exchange rate for EUR starts "
            "on 2026-10-01. Add an earlier rate or start the price then.",
        ),
        (
            'currency = "EUR"\ninput = "1"',
            "currency: The price has no start date, but the first exchange rate for EUR starts "
            "on 2026-10-01. Add an earlier rate or start the price then.",
        ),
        (
            'currency = "EUR"\npercent_of_list = "85"',
            "currency: Cannot be combined with a percentage, which has no currency.",
        ),
        (
            'percent_of_list = "85"\ninput = "1"',
            "percent_of_list: Cannot be combined with prices. Write the prices as a separate "
            "entry.",
        ),
        (
            'percents = { output = "85" }\nmeters = { web_searches = "1" }',
            "percents: Cannot be combined with prices. Write the prices as a separate entry.",
        ),
        (
            'percent_of_list = "0"',
            "percent_of_list: Must be between 1 and 500 percent, 85 for 85 %, not 0.",
        ),
        (
            'percent_of_list = "1000"',
            "percent_of_list: Must be between 1 and 500 percent, 85 for 85 %, not 1000.",
        ),
        (
            'percents = { output = "0.85" }',
            "percents.output: Must be between 1 and 500 percent, 85 for 85 %, not 0.85.",
        ),
        (
            'currency = "EUR"\ninput = "99999"\neffective_from = 2026-10-01',
            "input: Is 108,418.9158 USD, above the maximum of 100,000 USD.",
        ),
    ],
)
def test_errors_are_reported_at_their_field(tmp_path: Path, text: str, message: str) -> None:
    rate = '[[exchange_rate]]\ncurrency = "EUR"\neffective_from = 2026-10-01\nusd = "1.0842"\n'

    assert fault(tmp_path, f'{rate}[[price]]\nmodel = "x/y"\n{text}') == f"price 1, {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('currency = "USD"\nusd = "1"', "currency: USD needs no exchange rate."),
        ('usd = "1"', "currency: '' is not an ISO 4217 currency code such as EUR."),
        (
            'currency = "EUR"\nusd = "0"',
            "usd: Must be between 0.000001 and 100 USD for one EUR, not 0.",
        ),
        (
            'currency = "EUR"\nusd = "-1.1"',
            "usd: Must be between 0.000001 and 100 USD for one EUR, not -1.1.",
        ),
        (
            'currency = "EUR"\nusd = 1.1\nday = 1',
            "day: Unknown key. Available: currency, effective",
        ),
        ('currency = "EUR"', 'usd: Must be USD for one EUR such as "4.25".'),
    ],
)
def test_invalid_exchange_rate_is_reported(tmp_path: Path, text: str, message: str) -> None:
    assert fault(tmp_path, f"[[exchange_rate]]\n{text}").startswith(f"exchange rate 1, {message}")


def test_one_rate_per_currency_and_day(tmp_path: Path) -> None:
    rate = '[[exchange_rate]]\ncurrency = "EUR"\nusd = "1.1"\n'

    assert fault(tmp_path, rate + rate).startswith("exchange rate 2, effective_from: Another")


def test_overlapping_new_price_must_end(tmp_path: Path) -> None:
    message = fault(
        tmp_path,
        '[[price]]\nmodel = "m"\ninput = 1\noutput = 1\neffective_from = 2026-03-01\n'
        '[[price]]\nmodel = "m"\ninput = 1\noutput = 1\n',
    )

    assert message == (
        "price 2, effective_to: Overlaps price 1 for the same model. End this one with "
        "effective_to by 2026-03-01."
    )


def test_price_for_all_models_does_not_hide_the_answering_model(tmp_path: Path) -> None:
    general = book(tmp_path, '[[price]]\nprovider = "openai"\npercent_of_list = "85"\n')
    own = book(tmp_path, '[[price]]\nmodel = "openai/gpt-5.5"\npercent_of_list = "85"\n')

    assert not general.find("openai", "openai/gpt-5.5", to_us(AT)).is_named
    assert own.find("openai", "openai/gpt-5.5", to_us(AT)).is_named


def test_file_without_tables_has_no_prices(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text("exchange_rate = 3", encoding="utf-8")

    with pytest.raises(Invalid, match=r"begins with \[\[exchange_rate\]\]"):
        read_overrides(path)
