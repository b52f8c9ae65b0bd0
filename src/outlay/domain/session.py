"""Queries and results of session lists: conversations and runs of agents."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.query import UsageQuery

MAX_SESSIONS = 200
"""Most sessions on one page."""

MAX_PAGE = 10_000

SHOWN_OF = (
    Dimension.MODEL,
    Dimension.PROJECT,
    Dimension.API_KEY,
    Dimension.USER,
    Dimension.APP,
)
"""Dimensions shown for a session in addition to its sums."""


class SessionSort(StrEnum):
    """Sort order of session lists; its value is the word used in the API."""

    LAST = "last"
    FIRST = "first"
    COST = "cost"
    REQUESTS = "requestCount"
    TOKENS = "totalTokens"


class SessionMeasures(NamedTuple):
    """Sums over the requests of sessions, in the order of their rollup."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_pusd: int = 0
    errors: int = 0
    client_errors: int = 0


class SessionSums(NamedTuple):
    """A session, over its requests in the window that match every filter."""

    session_id: str
    first_at: int
    """Start of its first request, in seconds since the epoch."""
    last_at: int
    measures: SessionMeasures


class SessionTotals(NamedTuple):
    """Sums over all sessions of a query."""

    sessions: int
    measures: SessionMeasures


class SessionPart(NamedTuple):
    """The part of a session that has one combination of SHOWN_OF values."""

    session_id: str
    values: tuple[str, ...]
    cost_pusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery:
    """A query for one page of sessions."""

    usage: UsageQuery
    """The organization, the window and the request filters."""
    session_ids: Sequence[str] = ()
    """Restricts the query to these sessions, if not empty."""
    sort: SessionSort = SessionSort.LAST
    is_descending: bool = True
    page: int = 1
    page_size: int = 50

    def __post_init__(self) -> None:
        if not 1 <= self.page_size <= MAX_SESSIONS:
            raise Invalid(f"`pageSize` must be between 1 and {MAX_SESSIONS}.", field="pageSize")
        if not 1 <= self.page <= MAX_PAGE:
            raise Invalid(f"`page` must be between 1 and {MAX_PAGE:,}.", field="page")
