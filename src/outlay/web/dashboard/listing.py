"""Lists of settings: searched by name, a page at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from starlette.requests import Request

from outlay.web.dashboard.links import Links
from outlay.web.http.params import read_number, read_text

PAGE_ROWS: Final = 50
MAX_PAGE: Final = 1_000_000

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
    """Where the pages beside this one are."""

    @property
    def is_long(self) -> bool:
        """Whether a search is worth its place."""
        return bool(self.search) or self.page_count > 1 or self.count > PAGE_ROWS // 5


def read_listing(request: Request, rows: Sequence[T], text_of: Callable[[T], str]) -> Listing[T]:
    """The page that `search` and `page` of an address mean; `text_of` is what a row is found by."""
    search = (read_text(request.query_params, "search") or "").strip()
    wanted = search.casefold()
    found = [row for row in rows if wanted in text_of(row).casefold()]
    page_count = max(1, -(-len(found) // PAGE_ROWS))
    page = min(read_number(request.query_params, "page", 1, most=MAX_PAGE) or 1, page_count)
    links = Links.of(request)
    return Listing(
        rows=found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS],
        search=search,
        count=len(found),
        page=page,
        page_count=page_count,
        path=request.url.path,
        previous=links.put(page=str(page - 1)) if page > 1 else None,
        next=links.put(page=str(page + 1)) if page < page_count else None,
    )
