"""Tables that the server sorts: with a link per column, and a menu where there are no headings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from starlette.datastructures import QueryParams

from outlay.domain.answers import Totals
from outlay.domain.errors import Invalid
from outlay.web.dashboard.links import Links
from outlay.web.http.query_strings import read_text

Row = TypeVar("Row")

SORTING: Final = frozenset({"sort", "order"})
"""Parameters of a sortable table."""


@dataclass(frozen=True, slots=True)
class SortableColumn:
    """A column that a table can be sorted by."""

    title: str
    is_number: bool = True
    note: str = ""
    """A remark on its numbers."""


@dataclass(frozen=True, slots=True)
class Order:
    """The sort order of a table."""

    column: str
    is_descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The heading of a sortable column."""

    title: str
    is_number: bool
    note: str
    sort_url: str
    state: str
    """The value of `aria-sort`."""


def read_order(params: QueryParams, columns: Mapping[str, SortableColumn], default: str) -> Order:
    """The sort order in a query string: by default, names ascending and numbers descending."""
    name = read_text(params, "sort") or default
    if name not in columns:
        raise Invalid(f"`sort` must be one of {', '.join(columns)}.", field="sort")
    order = read_text(params, "order") or ("desc" if columns[name].is_number else "asc")
    if order not in {"asc", "desc"}:
        raise Invalid("`order` must be asc or desc.", field="order")
    return Order(name, order == "desc")


def sort_rows(
    rows: Sequence[Row],
    order: Order,
    values: Mapping[str, Callable[[Row], Any]],
    tie: Callable[[Row], Any],
) -> list[Row]:
    """The rows in order; equal ones by `tie`, in either direction."""
    found = sorted(rows, key=tie)
    found.sort(key=values[order.column], reverse=order.is_descending)
    return found


def heads_of(
    columns: Mapping[str, SortableColumn], order: Order, links: Links, **kept: str
) -> Sequence[Head]:
    """Headings whose links reverse the order, or sort by another column, starting on the first
    page.

    `kept` are further parameters that the links set.
    """
    found = []
    for name, column in columns.items():
        is_this = order.column == name
        is_descending = not order.is_descending if is_this else column.is_number
        state = "descending" if order.is_descending else "ascending"
        url = links.put(sort=name, order="desc" if is_descending else "asc", page=None, **kept)
        found.append(
            Head(
                title=column.title,
                is_number=column.is_number,
                note=column.note,
                sort_url=url,
                state=state if is_this else "none",
            )
        )
    return found


def error_rate_of(totals: Totals) -> float:
    """The sort value of an error rate; below all others if no request could fail."""
    rate = totals.error_rate
    return -1 if rate is None else rate
