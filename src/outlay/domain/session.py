"""Queries for sessions, which are conversations or runs of agents."""

from dataclasses import dataclass
from enum import StrEnum

from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.period import Period
from outlay.domain.query import UsageQuery

MAX_SESSIONS = 200
"""Maximum number of sessions per page."""

MAX_PAGE = 10_000

SHOWN_OF = (
    Dimension.MODEL,
    Dimension.PROJECT,
    Dimension.API_KEY,
    Dimension.USER,
    Dimension.APP,
)
"""Dimensions whose values are listed for each session."""


class SessionSort(StrEnum):
    """Sort order of session lists; its value is the word used in the API."""

    LAST = "last"
    FIRST = "first"
    COST = "cost"
    REQUESTS = "requestCount"
    TOKENS = "totalTokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery:
    """A page of the sessions with requests in a period."""

    usage: UsageQuery
    """The organization, the period and the request filters."""
    session_ids: tuple[str, ...] = ()
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

    @property
    def organization_id(self) -> str:
        """The organization of the sessions."""
        return self.usage.organization_id

    @property
    def period(self) -> Period:
        """The period of their requests."""
        return self.usage.period
