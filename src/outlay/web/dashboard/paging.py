"""Lists that are shown page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from starlette.requests import Request

from outlay.web.dashboard.links import Links
from outlay.web.http.query_strings import read_number

Row = TypeVar("Row")

PAGE_ROWS: Final = 100
"""Rows per page by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """A link to another page; without a URL if there is none."""

    title: str
    icon: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """The shown page, and links to others."""

    page: int
    page_count: int
    row_count: int
    """On all pages."""
    turns: Sequence[PageLink]

    @property
    def is_last(self) -> bool:
        """Whether this is the last page."""
        return self.page == self.page_count


def page_of(
    request: Request, rows: Sequence[Row], size: int = PAGE_ROWS
) -> tuple[Sequence[Row], Paging]:
    """The rows of the requested page, or of the last one if the number is too high."""
    asked = read_number(request.query_params, "page", 1, most=1_000_000) or 1
    page_count = max(1, -(-len(rows) // size))
    page = min(asked, page_count)
    paging = Paging(
        page=page,
        page_count=page_count,
        row_count=len(rows),
        turns=turns_of(page, page_count, Links.of(request)),
    )
    return rows[(page - 1) * size : page * size], paging


def turns_of(page: int, page_count: int, links: Links) -> Sequence[PageLink]:
    """Links to the first, previous, next and last page."""
    places = (
        ("First page", "chevrons-left", 1),
        ("Previous page", "chevron-left", page - 1),
        ("Next page", "chevron-right", page + 1),
        ("Last page", "chevrons-right", page_count),
    )
    return [
        PageLink(
            title=title,
            icon=icon,
            url=links.put(page=str(number)) if 1 <= number <= page_count and number != page else "",
        )
        for title, icon, number in places
    ]
