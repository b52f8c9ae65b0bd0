"""Totals of all values of a dimension, and the totals around them."""

from typing import Any, cast

from outlay.domain.answers import Row, Totals
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import NO_MERGES
from outlay.domain.ids import OrganizationId
from outlay.domain.period import Period
from outlay.domain.query import UsageQuery
from outlay.domain.questions import Rows, StepTotals
from outlay.services.analytics.value_totals import read_value_totals

PERIOD = Period(start_bucket=0, end_bucket=1, timezone="UTC")
QUERY = UsageQuery(organization_id=OrganizationId("org"), merges=NO_MERGES, period=PERIOD)


def cube(rows: dict[str, int], total: int) -> Any:
    """A cube with a number of requests of each value, and in total."""

    class Cube:
        def ask(self, question: Any) -> Any:
            if isinstance(question, StepTotals):
                return {0: Totals(requests=total)}
            assert isinstance(question, Rows)
            return [Row(0, (key,), Totals(requests=n)) for key, n in rows.items()]

    return cast(Any, Cube())


def test_requests_without_a_value_are_unattributed() -> None:
    found = read_value_totals(cube({"a": 3, "": 2}, 99), QUERY, Dimension.MODEL)

    assert found.values == {"a": Totals(requests=3)}
    assert (found.unattributed.requests, found.total.requests) == (2, 5)


def test_total_of_overlapping_groups_is_queried() -> None:
    found = read_value_totals(cube({"a": 3, "b": 3}, 4), QUERY, Dimension.GROUP)

    assert found.total.requests == 4
