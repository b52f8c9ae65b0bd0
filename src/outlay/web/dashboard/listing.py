"""Lists of settings: searched by name, page by page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from starlette.requests import Request

from outlay.web.dashboard.paging import page_of
from outlay.web.http.query_strings import read_text

PAGE_ROWS: Final = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """A page of a list."""

    rows: Sequence[T]
    search: str
    count: int
    """Rows that match the search, on all pages."""
    page: int
    page_count: int
    path: str
    previous: str | None
    next: str | None
    """Links to the previous and next page."""

    @property
    def is_long(self) -> bool:
        """Whether the list is long enough for a search field."""
        return bool(self.search) or self.page_count > 1 or self.count > PAGE_ROWS // 5


def read_listing(request: Request, rows: Sequence[T], text_of: Callable[[T], str]) -> Listing[T]:
    """The page selected by `search` and `page` in the URL; `text_of` returns the text of a row that
    is searched."""
    search = (read_text(request.query_params, "search") or "").strip()
    wanted = search.casefold()
    found = [row for row in rows if wanted in text_of(row).casefold()]
    shown, paging = page_of(request, found, PAGE_ROWS)
    _, previous, following, _ = paging.turns
    return Listing(
        rows=shown,
        search=search,
        count=paging.row_count,
        page=paging.page,
        page_count=paging.page_count,
        path=request.url.path,
        previous=previous.url or None,
        next=following.url or None,
    )
