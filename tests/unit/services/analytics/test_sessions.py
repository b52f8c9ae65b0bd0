"""Sessions: their cost by model, project, key, user and app."""

from dataclasses import replace
from typing import Any, cast

import pytest

from outlay.domain.answers import SessionMeasures, SessionPart, SessionSums, SessionTotals
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import NO_MERGES
from outlay.domain.errors import NotFound
from outlay.domain.ids import OrganizationId
from outlay.domain.period import Period
from outlay.domain.query import UsageQuery
from outlay.domain.questions import SessionList, SessionParts, SessionSummary
from outlay.domain.session import SessionQuery
from outlay.services.analytics.sessions import read_session, read_sessions

PERIOD = Period(start_bucket=0, end_bucket=1, timezone="UTC")
QUERY = SessionQuery(
    usage=UsageQuery(organization_id=OrganizationId("org"), merges=NO_MERGES, period=PERIOD)
)


class Cube:
    """A cube with two sessions."""

    def ask(self, question: Any) -> Any:
        match question:
            case SessionList(query):
                wanted = query.session_ids or ("a", "b")
                found = [SessionSums(name, 0, 9, SessionMeasures(requests=2)) for name in "ab"]
                return [one for one in found if one.session_id in wanted]
            case SessionSummary():
                return SessionTotals(2, SessionMeasures(requests=4))
            case SessionParts(query):
                parts = [
                    SessionPart("a", ("cheap", "web", "", "ada", ""), 3),
                    SessionPart("a", ("dear", "web", "", "bob", ""), 9),
                    SessionPart("a", ("dear", "app", "", "ada", ""), 1),
                    SessionPart("b", ("cheap", "", "", "", ""), 2),
                ]
                return [part for part in parts if part.session_id in query.session_ids]
        raise AssertionError(question)


@pytest.fixture
def reader() -> Any:
    return cast(Any, Cube())


def test_costs_are_by_value_the_highest_first_without_unattributed(reader: Any) -> None:
    page = read_sessions(reader, QUERY)
    first, second = page.sessions

    assert list(first.costs[Dimension.MODEL].items()) == [("dear", 10), ("cheap", 3)]
    assert first.costs[Dimension.PROJECT] == {"web": 12, "app": 1}
    assert list(first.costs[Dimension.USER].items()) == [("bob", 9), ("ada", 4)]
    assert first.costs[Dimension.API_KEY] == second.costs[Dimension.PROJECT] == {}
    assert page.totals.sessions == 2


def test_one_session_is_found_on_any_page_or_not_at_all(reader: Any) -> None:
    later = replace(QUERY, page=7)

    assert read_session(reader, later, "b").sums.session_id == "b"
    with pytest.raises(NotFound):
        read_session(reader, later, "c")
