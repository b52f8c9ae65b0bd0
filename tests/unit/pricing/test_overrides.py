"""The operator's price file: exact prices, all errors at once, the most specific entry wins."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from outlay.domain.errors import Invalid
from outlay.kit.clock import to_us
from outlay.pricing.overrides import Overrides, find_override, read_overrides
from outlay.pricing.rates import Shares

USD = 10**12
NOW = to_us(datetime(2026, 11, 20, tzinfo=UTC))


def read(tmp_path: Path, text: str) -> Overrides:
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return read_overrides(path)


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        read(tmp_path, text)
    first, *others = caught.value.message.splitlines()
    assert first == f"{tmp_path / 'prices.toml'} has errors:"
    assert caught.value.code == "invalid-prices"
    return [line.strip() for line in others]


def test_numbers_and_texts_are_exact(tmp_path: Path) -> None:
    overrides = read(
        tmp_path,
        """
        [[price]]
        model = "m"
        input = 0.1
        output = "0.000000000001"
        cache_read = 3
        per_request = "0.25"
        """,
    )

    base = overrides.prices[0].rates.base
    assert (base.input, base.output, base.cache_read) == (USD // 10, 1, 3 * USD)
    assert base.cache_write == base.input
    assert base.per_request == USD // 4


def test_tier_keeps_unchanged_prices(tmp_path: Path) -> None:
    rates = (
        read(
            tmp_path,
            """
            [[price]]
            model = "m"
            input = 1
            output = 4
            [[price.tier]]
            above = 500
            output = 6
            [[price.tier]]
            above = 200
            input = 2
            """,
        )
        .prices[0]
        .rates
    )

    assert [(start, tier.input, tier.output) for start, tier in rates.tiers] == [
        (500, 2 * USD, 6 * USD),
        (200, 2 * USD, 4 * USD),
    ]


def test_names_are_case_insensitive(tmp_path: Path) -> None:
    overrides = read(
        tmp_path,
        '[aliases]\n"My-Model" = " gpt-5.5 "\n[[price]]\nmodel = "OpenAI/GPT-5.5"\ninput = 1\n',
    )

    assert overrides.aliases == {"my-model": "gpt-5.5"}
    assert overrides.prices[0].model == "openai/gpt-5.5"


def test_example_in_the_documents_is_valid(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "price-file.md"
    [example] = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)

    overrides = read(tmp_path, example)

    assert overrides.aliases["my-fast-model"] == "gpt-5.5"
    first, second, share, added, converted = overrides.prices
    assert first.rates.base.input == 4_250_000_000_000
    assert first.rates.tiers[0] == (
        272_000,
        first.rates.base._replace(
            input=8_500_000_000_000, cache_write=8_500_000_000_000, cache_write_1h=8_500_000_000_000
        ),
    )
    assert second.context == {"service_tier": "flex"}
    assert share.shares == Shares(Decimal(85), {"web_searches": Decimal(100)})
    assert added.is_addition
    assert converted.rates.base.input == 487_890_000_000


def test_every_error_of_a_file_is_named(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        prices = 1
        [aliases]
        "a" = 3
        "B" = "x"
        "b" = "y"
        "c" = "d"
        "d" = "c"
        [[price]]
        model = "a"
        inputt = "1"
        [[price]]
        model = "b"
        input = "-1"
        output = "four"
        reasoning = true
        cache_read = "0.0000000000001"
        [[price]]
        provider = ""
        input = "nan"
        [[price]]
        model = "c"
        input = "1"
        effective_from = 2026-02-01
        effective_to = 2026-01-01
        [[price]]
        model = "d"
        output = "1"
        effective_to = "2026-01-01"
        context = { service_tier = 1 }
        [[price]]
        model = "e"
        output = "2"
        [[price.tier]]
        above = "many"
        input = "1"
        colour = "blue"
        [[price.tier]]
        above = 100
        [[price.tier]]
        above = 200
        input = 1
        [[price.tier]]
        above = 200
        input = 1
        """,
    )

    expected = [
        "prices: Unknown key. Available: aliases, cost_policy, exchange_rate, price",
        "aliases, 'a': Must be two names",
        "aliases, 'b': Appears twice",
        "aliases, 'c': Refers to itself.",
        "aliases, 'd': Refers to itself.",
        "price 1, inputt: Unknown key. Available: model, provider",
        "price 1, input: There is no price.",
        "price 2, input: Must be between 0 and 100,000 USD, not -1",
        "price 2, output: 'four' is not a number",
        'price 2, reasoning: Must be USD such as "4.25".',
        "price 2, cache_read: 0.0000000000001 has more than 12 decimal places",
        "price 3, model: Must be text",
        "price 3, provider: Must be text",
        "price 3, input: Must be between",
        "price 4, effective_to: Must be after effective_from",
        "price 5, effective_to: Must be a date (UTC)",
        "price 5, context: Must be a table of texts",
        "price 6, tier.above: Must be a number of input tokens",
        "price 6, tier.colour: Unknown key. Available: above",
        "price 6, tier.input: There is no price above 100.",
        "price 6, tier.above: 200 appears twice.",
    ]
    for start in expected:
        assert any(fault.startswith(start) for fault in found), (start, found)
    assert len(found) == len(expected)


PERIODS = """
[[price]]
model = "d"
output = 1
effective_from = 2026-01-01
[[price]]
model = "d"
output = 2
effective_from = 2026-02-01
effective_to = 2026-03-01
[[price]]
model = "D"
output = 3
effective_from = 2026-04-01
[[price]]
model = "d"
output = 4
provider = "openai"
"""


def test_every_overlap_is_named(tmp_path: Path) -> None:
    found = faults(tmp_path, PERIODS)

    assert found == [
        f"price {number}, effective_from: Overlaps price 1 for the same model. "
        "End that one with effective_to."
        for number in (2, 3)
    ]


def test_adjacent_periods_do_not_overlap(tmp_path: Path) -> None:
    text = PERIODS.replace(
        "effective_from = 2026-01-01", "effective_from = 2026-01-01\neffective_to = 2026-02-01"
    )

    assert len(read(tmp_path, text).prices) == 4


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("price = 1", "price: Write each one as a table that begins with [[price]]."),
        ("price = [1]", "price: Write each one as a table that begins with [[price]]."),
        (
            "aliases = 1",
            'aliases: Write a table: [aliases] and "my-fast-model" = "gpt-5.5".',
        ),
        (
            '[[price]]\nmodel = "m"\ninput = 1\ntier = 3',
            "price 1, tier: Write each tier as a table that begins with [[price.tier]].",
        ),
        (
            '[[price]]\nmodel = "m"\ninput = 1\ncontext = 3',
            'price 1, context: Must be a table of texts such as { service_tier = "flex" }.',
        ),
    ],
)
def test_values_of_wrong_types_are_errors(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, text) == [fault]


def test_invalid_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="line 1"):
        read(tmp_path, "[[price]\n")


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"missing\.toml"):
        read_overrides(tmp_path / "missing.toml")


LADDER = """
[[price]]
model = "gpt-4o"
input = 1
[[price]]
model = "openai/gpt-4o-2024-08-06"
input = 2
[[price]]
model = "gpt-4o"
input = 3
context = { service_tier = "flex" }
[[price]]
model = "gpt-4o"
input = 4
provider = "OpenAI"
[[price]]
model = "gpt-4o"
input = 5
provider = "openai"
context = { service_tier = "flex" }
"""
NAMES = ("openai/GPT-4o-2024-08-06", "gpt-4o-2024-08-06", "gpt-4o")


@pytest.mark.parametrize(
    ("provider", "names", "context", "number"),
    [
        ("azure", ("azure/gpt-4o", "gpt-4o"), {}, 1),
        ("azure", NAMES, {}, 2),
        ("azure", NAMES, {"service_tier": "flex"}, 3),
        ("openai", NAMES, {"service_tier": "priority"}, 4),
        ("OpenAI", NAMES, {"service_tier": "flex", "region": "eu"}, 5),
    ],
)
def test_most_specific_override_wins(
    tmp_path: Path, provider: str, names: tuple[str, ...], context: dict[str, str], number: int
) -> None:
    best, _, _ = find_override(read(tmp_path, LADDER), provider, names, NOW, context)

    assert best is not None
    assert best.number == number


def test_exact_model_id_wins_over_a_later_canonical_model(tmp_path: Path) -> None:
    overrides = read(
        tmp_path,
        '[[price]]\nmodel = "azure/gpt-4o"\ninput = 1\n[[price]]\nmodel = "gpt-4o"\ninput = 2\n',
    )

    exact, _, _ = find_override(overrides, "azure", ("azure/gpt-4o", "gpt-4o"), NOW, {})

    assert exact == overrides.prices[0]


def test_unknown_name_finds_no_override(tmp_path: Path) -> None:
    best, from_us, until_us = find_override(read(tmp_path, LADDER), "openai", ("x/y", "y"), NOW, {})

    assert best is None
    assert from_us < 0 < NOW < until_us
