"""Why lines of a bill differ: the amounts of the reasons add up, and each explains its share."""

from collections import Counter
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.answers import Totals
from outlay.domain.ids import OrganizationId
from outlay.domain.reconciliation import Reason, ReconciledLine, Reconciliation
from outlay.services.reconciliation.bill_reasons import BillReasons, BothSides, Hours, Key

DAYS = [date(2026, 11, 10) + timedelta(days=number) for number in range(6)]
CENT = 10**10
USD = 10**12


def reasons_of(
    lines: dict[Key, BothSides], hours: Hours | None = None
) -> dict[Key, dict[Reason, int]]:
    """Amounts by line and reason; `web search` and `tax` are not models."""
    found = BillReasons(
        lines,
        hours or {},
        is_model=lambda model: model not in {"web search", "tax"},
        tolerance_pusd=CENT,
        timezone="UTC",
    )
    return {key: {p.reason: p.amount_pusd for p in found.parts_for(key)} for key in lines}


def both(recorded: int, billed: int, credit: int = 0, **totals: int) -> BothSides:
    requests = totals.pop("requests", 10 if recorded else 0)
    return BothSides(
        Totals(requests=requests, cost_pusd=recorded, **totals), billed, credit, is_billed=True
    )


counts = st.integers(0, 10)
amounts = st.integers(0, 50 * USD)
sides = st.builds(
    lambda recorded, billed, credit, counted, is_billed, meters: BothSides(
        Totals(
            requests=10 if recorded else 0,
            cost_pusd=recorded,
            meter_cost_pusd=min(meters, recorded),
            unpriced_requests=counted[0],
            partly_priced_requests=counted[1],
            estimated_requests=counted[2],
            unknown_usage_requests=counted[3],
        ),
        billed - credit if is_billed else 0,
        -credit if is_billed else 0,
        is_billed,
    ),
    amounts | st.just(0),
    amounts,
    st.just(0) | amounts,
    st.tuples(counts, counts, counts, counts),
    st.booleans(),
    amounts,
)
bills = st.dictionaries(
    st.tuples(
        st.sampled_from(DAYS),
        st.sampled_from(["", "p"]),
        st.sampled_from(["", "gpt-5.5", "gpt-4o", "web search", "tax"]),
    ),
    sides,
    min_size=1,
    max_size=20,
)
hours_of_days = st.dictionaries(
    st.sampled_from(DAYS),
    st.dictionaries(
        st.sampled_from(["gpt-5.5", "gpt-4o"]),
        st.dictionaries(st.integers(0, 24), st.integers(1, 50), max_size=6),
    ),
)


@given(bills, hours_of_days)
def test_explained_and_unexplained_parts_add_up(lines: dict[Key, BothSides], hours: Hours) -> None:
    reasons = BillReasons(
        lines,
        hours,
        is_model=lambda model: model.startswith("gpt"),
        tolerance_pusd=CENT,
        timezone="UTC",
    )
    found = Reconciliation(
        reconciliation_id="",
        organization_id=OrganizationId(""),
        provider="openai",
        file_name="",
        created_at_us=0,
        from_date=DAYS[0],
        to_date=DAYS[-1],
        tolerance_pusd=CENT,
        notes=[],
        lines=[
            ReconciledLine(
                day=key[0],
                project=key[1],
                project_name="",
                model=key[2],
                recorded_pusd=side.recorded.cost_pusd,
                billed_pusd=side.billed_pusd,
                requests=side.recorded.requests,
                parts=reasons.parts_for(key),
            )
            for key, side in lines.items()
        ],
    )

    for line in found.lines:
        assert sum(part.amount_pusd for part in line.parts) == line.difference_pusd
        assert max(Counter(part.reason for part in line.parts).values(), default=1) == 1
    difference = found.billed_pusd - found.recorded_pusd
    assert found.explained_pusd + found.unexplained_pusd == difference
    assert sum(found.by_reason.values()) == difference


def test_discount_is_found_around_an_outage() -> None:
    lines = {(day, "p", "gpt-5.5"): both(100 * USD, 85 * USD) for day in DAYS}
    out = (DAYS[2], "p", "gpt-5.5")
    lines[out] = both(60 * USD, 85 * USD)
    hours = {day: {"gpt-5.5": {hour: 10 for hour in range(10)}} for day in DAYS}
    hours[DAYS[2]] = {"gpt-5.5": {hour: 10 for hour in range(6)}}

    found = reasons_of(lines, hours)

    assert found[DAYS[0], "p", "gpt-5.5"] == {Reason.PRICE: -15 * USD}
    assert found[out] == {Reason.PRICE: -9 * USD, Reason.MISSING_HOURS: 34 * USD}


def test_reason_explains_at_most_its_share_of_requests() -> None:
    line = (DAYS[0], "p", "gpt-5.5")

    found = reasons_of({line: both(50 * USD, 100 * USD, unpriced_requests=2)})[line]

    assert found == {Reason.UNPRICED: 20 * USD, Reason.UNEXPLAINED: 30 * USD}


def test_credits_taxes_and_tools_are_separate() -> None:
    day = DAYS[0]
    model, search, tax = ((day, "p", name) for name in ("gpt-5.5", "web search", "tax"))

    found = reasons_of(
        {
            model: both(10 * USD, 4 * USD, -5 * USD, meter_cost_pusd=2 * USD),
            search: both(0, 1 * USD),
            tax: both(0, 2 * USD),
            (day, "p", "gpt-4o"): both(0, 3 * USD),
        }
    )

    assert found[model] == {Reason.CREDIT: -5 * USD, Reason.BILLED_AS_TOOLS: -1 * USD}
    assert found[search] == {Reason.BILLED_AS_TOOLS: 1 * USD}
    assert found[tax] == {Reason.TOOL: 2 * USD}
    assert found[day, "p", "gpt-4o"] == {Reason.NOT_RECORDED: 3 * USD}


def test_difference_within_the_tolerance_is_rounding() -> None:
    line = (DAYS[0], "p", "gpt-5.5")

    assert reasons_of({line: both(USD, USD + 7)})[line] == {Reason.ROUNDING: 7}
