"""Sessions: conversations and runs of agents, as lists of them ask and answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.query import UsageQuery

MAX_SESSIONS = 200
"""Most sessions of one page."""

MAX_PAGE = 10_000

SHOWN_OF = (
    Dimension.MODEL,
    Dimension.PROJECT,
    Dimension.API_KEY,
    Dimension.USER,
    Dimension.APP,
)
"""What is told of a session beside its sums."""


class SessionSort(StrEnum):
    """What sessions are listed by; its value is the word used in the API."""

    LAST = "last"
    FIRST = "first"
    COST = "cost"
    REQUESTS = "requestCount"
    TOKENS = "totalTokens"


class SessionMeasures(NamedTuple):
    """What requests of sessions add up to, in the order of their rollup."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_pusd: int = 0
    errors: int = 0
    client_errors: int = 0


class SessionSums(NamedTuple):
    """A session, of the requests in the window that meet every filter."""

    session_id: str
    first_at: int
    """When its first request began, in seconds since the epoch."""
    last_at: int
    measures: SessionMeasures


class SessionTotals(NamedTuple):
    """All sessions that a question is about."""

    sessions: int
    measures: SessionMeasures


class SessionPart(NamedTuple):
    """What of a session has one combination of values of SHOWN_OF."""

    session_id: str
    values: tuple[str, ...]
    cost_pusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery:
    """Sessions with requests in a window, a page of them."""

    usage: UsageQuery
    """The organization, the window and the filters of their requests."""
    session_ids: Sequence[str] = ()
    """These alone, if any are given."""
    sort: SessionSort = SessionSort.LAST
    is_descending: bool = True
    page: int = 1
    page_size: int = 50

    def __post_init__(self) -> None:
        if not 1 <= self.page_size <= MAX_SESSIONS:
            raise Invalid(f"`pageSize` must be between 1 and {MAX_SESSIONS}.", field="pageSize")
        if not 1 <= self.page <= MAX_PAGE:
            raise Invalid(f"`page` must be between 1 and {MAX_PAGE:,}.", field="page")
