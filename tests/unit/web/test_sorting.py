"""Tables that the server sorts and pages."""

import pytest
from starlette.datastructures import QueryParams
from starlette.requests import Request

from outlay.domain.errors import Invalid
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.paging import page_of
from outlay.web.dashboard.sorting import Order, SortableColumn, heads_of, read_order, sort_rows

COLUMNS = {"name": SortableColumn("Name", is_number=False), "size": SortableColumn("Size")}
VALUES = {"name": lambda row: row[0], "size": lambda row: row[1]}


def request_of(query: str) -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "server": ("test", 80),
            "path": "/list",
            "query_string": query.encode(),
            "headers": [],
        }
    )


def test_names_sort_ascending_and_numbers_descending() -> None:
    assert read_order(QueryParams(""), COLUMNS, "size") == Order("size", True)
    assert read_order(QueryParams("sort=name"), COLUMNS, "size") == Order("name", False)
    assert read_order(QueryParams("sort=name&order=desc"), COLUMNS, "size") == Order("name", True)


@pytest.mark.parametrize("query", ["sort=colour", "order=up", "sort=size&sort=name"])
def test_invalid_order_is_refused(query: str) -> None:
    with pytest.raises(Invalid):
        read_order(QueryParams(query), COLUMNS, "size")


def test_equal_rows_have_a_stable_order() -> None:
    rows = [("c", 1), ("a", 1), ("b", 2)]

    def tie(row: tuple[str, int]) -> str:
        return row[0]

    assert sort_rows(rows, Order("size", True), VALUES, tie) == [("b", 2), ("a", 1), ("c", 1)]
    assert sort_rows(rows, Order("size", False), VALUES, tie) == [("a", 1), ("c", 1), ("b", 2)]


def test_header_reverses_its_order_and_resets_the_page() -> None:
    links = Links("/list", (("model", "gpt-5.5"), ("page", "3")))

    name, size = heads_of(COLUMNS, Order("size", True), links, view="all")

    assert (name.state, size.state) == ("none", "descending")
    assert name.sort_url == "/list?model=gpt-5.5&sort=name&order=asc&view=all"
    assert size.sort_url == "/list?model=gpt-5.5&sort=size&order=asc&view=all"


def test_page_beyond_the_end_is_the_last() -> None:
    shown, paging = page_of(request_of("page=9&model=x"), list(range(25)), 10)

    assert shown == [20, 21, 22, 23, 24]
    assert (paging.page, paging.page_count, paging.row_count, paging.is_last) == (3, 3, 25, True)
    assert [turn.url for turn in paging.turns] == [
        "/list?model=x&page=1",
        "/list?model=x&page=2",
        "",
        "",
    ]
    assert page_of(request_of(""), [])[1].page_count == 1
