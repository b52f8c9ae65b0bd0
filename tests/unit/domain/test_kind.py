"""Kinds of usage are disjoint: their costs add up to the cost, their tokens to the tokens."""

from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.answers import Totals, sum_totals
from outlay.domain.kind import (
    CACHE_READ,
    KINDS,
    OUTPUT,
    UNCACHED,
    WHOLE,
    KindAmount,
    kinds_of,
    totals_of_kind,
)
from outlay.domain.meter import METERS, MeterUnit, join_meters, settle_meters, split_disjoint
from outlay.domain.usage import TokenUsage, settle_tokens

counts = st.integers(0, 10**9)
costs = st.integers(0, 10**15)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Totals, dict[str, KindAmount]]:
    """The measures and meters of a request, whatever of it was counted."""
    usage, _ = settle_tokens(draw(st.builds(TokenUsage, *[counts] * 6)))
    wanted = st.dictionaries(st.sampled_from(list(METERS)), counts, max_size=6)
    meters, _ = settle_meters(usage, draw(wanted))
    own = split_disjoint(join_meters(meters))
    amounts = {name: KindAmount(quantity, draw(costs)) for name, quantity in own.items()}
    parts = [draw(costs) for _ in range(4)]
    metered = sum(amount.cost_pusd for amount in amounts.values())
    return Totals(
        requests=1,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_input_tokens=usage.cache_read_input_tokens,
        cache_write_input_tokens=usage.cache_write_input_tokens,
        cost_pusd=sum(parts) + metered + draw(costs),
        input_cost_pusd=parts[0],
        cache_read_cost_pusd=parts[1],
        cache_write_cost_pusd=parts[2],
        output_cost_pusd=parts[3],
        meter_cost_pusd=metered,
    ), amounts


@given(st.lists(requests(), max_size=4))
def test_kinds_add_up_to_cost_and_tokens(
    found: list[tuple[Totals, dict[str, KindAmount]]],
) -> None:
    total = sum_totals([totals for totals, _ in found])
    meters: dict[str, KindAmount] = {}
    for _, amounts in found:
        for name, amount in amounts.items():
            meters[name] = meters.get(name, KindAmount(0, 0)).plus(amount)

    kinds = kinds_of(total, meters)

    assert kinds.keys() <= KINDS.keys()
    assert all(amount.quantity >= 0 for amount in kinds.values())
    assert sum(amount.cost_pusd for amount in kinds.values()) == total.cost_pusd
    in_tokens = [
        amount.quantity for name, amount in kinds.items() if KINDS[name].unit is MeterUnit.TOKENS
    ]
    assert sum(in_tokens) == total.total_tokens
    shares = sum_totals([totals_of_kind(name, amount) for name, amount in kinds.items()])
    assert (shares.input_tokens, shares.output_tokens) == (total.input_tokens, total.output_tokens)


def test_cached_audio_is_a_kind_of_its_own() -> None:
    total = Totals(
        requests=1, input_tokens=100, output_tokens=10, cache_read_input_tokens=40, cost_pusd=9
    )
    quantities = split_disjoint(
        "audio_milliseconds=9000,cache_audio_read_tokens=30,"
        "input_audio_milliseconds=6000,input_audio_tokens=50"
    )
    costs_of = {"input_audio_tokens": 4, "cache_audio_read_tokens": 2}
    meters = {
        name: KindAmount(quantity, costs_of.get(name, 0)) for name, quantity in quantities.items()
    }

    assert kinds_of(total, meters) == {
        UNCACHED: KindAmount(40, 0),
        CACHE_READ: KindAmount(10, 0),
        OUTPUT: KindAmount(10, 0),
        "input_audio_tokens": KindAmount(20, 4),
        "cache_audio_read_tokens": KindAmount(30, 2),
        "audio_milliseconds": KindAmount(3_000, 0),
        "input_audio_milliseconds": KindAmount(6_000, 0),
        WHOLE: KindAmount(0, 3),
    }


def test_meter_of_a_later_version_is_a_kind_of_its_own() -> None:
    kinds = kinds_of(Totals(cost_pusd=5), {"smells": KindAmount(3, 5)})

    assert kinds == {"smells": KindAmount(3, 5)}
    assert totals_of_kind("smells", kinds["smells"]) == Totals(cost_pusd=5)
