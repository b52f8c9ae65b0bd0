"""Tables that the server sorts: by a link for each column, and a menu where there is no head."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from starlette.datastructures import QueryParams

from outlay.domain.answers import Totals
from outlay.domain.errors import Invalid
from outlay.web.dashboard.links import Links
from outlay.web.http.params import read_text

Row = TypeVar("Row")

SORTING: Final = frozenset({"sort", "order"})
"""Parameters of a table that sorts."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a table can be sorted by."""

    title: str
    is_number: bool = True
    note: str = ""
    """What has to be known of its numbers."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a table is sorted by."""

    column: str
    is_descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a column, which sorts."""

    title: str
    is_number: bool
    note: str
    sort_url: str
    state: str
    """As `aria-sort` has it."""


def read_order(params: QueryParams, columns: Mapping[str, Column], default: str) -> Order:
    """What a query string asks a table to be sorted by: names from A, numbers from the largest."""
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
    """The rows in order; those that are equal by `tie`, whichever way the column is sorted."""
    found = sorted(rows, key=tie)
    found.sort(key=values[order.column], reverse=order.is_descending)
    return found


def heads_of(
    columns: Mapping[str, Column], order: Order, links: Links, **kept: str
) -> Sequence[Head]:
    """Heads whose links turn the order round, or begin with another column; on the first page.

    `kept` are parameters that the links set besides.
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
    """What a column of error rates is sorted by: below all others without a request to fail."""
    rate = totals.error_rate
    return -1 if rate is None else rate
