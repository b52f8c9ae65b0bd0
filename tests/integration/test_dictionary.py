"""Texts of the DuckDB cube as codes."""

from collections.abc import Iterator

import duckdb
import pytest

from outlay.storage.cube.duckdb.cursors import SnapshotCursor
from outlay.storage.cube.duckdb.dictionary import SCHEMA, UNKNOWN, Codes, encode


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A dictionary without texts."""
    with duckdb.connect() as connection:
        connection.execute(SCHEMA)
        yield connection


def test_codes_of_texts_do_not_change(database: duckdb.DuckDBPyConnection) -> None:
    first = encode(database, {"model": ["a", "b", "a", ""]})["model"]
    assert first[0] == first[2]
    assert len(set(first)) == 3
    again = encode(database, {"model": ["c", "", "b", "a"]})["model"]
    assert again[1:] == [first[3], first[1], first[0]]
    assert again[0] not in first
    stored = database.execute("SELECT count(*), count(DISTINCT value) FROM dictionary").fetchone()
    assert stored == (4, 4)


def test_dimensions_have_separate_codes(database: duckdb.DuckDBPyConnection) -> None:
    codes = encode(database, {"model": ["x", "y"], "app": ["y"], "status": ["ok", "ok"]})
    assert sorted(codes["model"]) == [1, 2]
    assert codes["app"] == [1]
    assert codes["status"] == [1, 1]
    assert Codes().find(SnapshotCursor(database), "app", "x") == UNKNOWN


def test_text_is_found_once_it_is_added(database: duckdb.DuckDBPyConnection) -> None:
    codes, cursor = Codes(), SnapshotCursor(database)
    assert codes.find(cursor, "model", "late") == UNKNOWN
    given = encode(database, {"model": ["late"]})["model"]
    assert [codes.find(cursor, "model", "late")] == given
    database.execute("DELETE FROM dictionary")
    assert [codes.find(cursor, "model", "late")] == given


@pytest.mark.parametrize("text", ["", "'", '"', "\\", "\x00", "ü\u2028", "{}", "null", " a "])
def test_any_text_round_trips(database: duckdb.DuckDBPyConnection, text: str) -> None:
    (code,) = encode(database, {"app": [text]})["app"]
    assert encode(database, {"app": [text + "x", text]})["app"][1] == code
    assert database.execute("SELECT value FROM dictionary WHERE code = ?", [code]).fetchone() == (
        text,
    )
