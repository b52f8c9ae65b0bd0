"""A dictionary that maps texts to small integers: rows are grouped and compared by code, and
decoded last.

Each dimension has its own codes, assigned in order of appearance. They never change during the
lifetime of the cube, so a code that was seen once is valid in every later snapshot.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb
import orjson

from outlay.kit.sqlfiles import load_sql
from outlay.storage.cube.duckdb.cursors import SnapshotCursor

PACKAGE: Final = "outlay.storage.cube.duckdb.sql"
SCHEMA: Final = (
    "CREATE TABLE dictionary (dimension VARCHAR NOT NULL, value VARCHAR NOT NULL, "
    "code INTEGER NOT NULL)"
)
UNKNOWN: Final = -1
"""The code of a text that no row has."""
MAX_KEPT: Final = 10_000
"""Maximum number of cached codes."""


class Codes:
    """Codes of the texts in filters, each looked up once. Thread-safe."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], int] = {}

    def find(self, cursor: SnapshotCursor, dimension: str, text: str) -> int:
        """The code of a text in the cursor's snapshot or a later one; UNKNOWN if it has none."""
        known = self._kept.get((dimension, text))
        if known is not None:
            return known
        row = cursor.execute(
            "SELECT code FROM dictionary WHERE dimension = ? AND value = ?", [dimension, text]
        ).fetchone()
        if row is None:
            return UNKNOWN
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        code = int(row[0])
        self._kept[dimension, text] = code
        return code


def encode(
    database: duckdb.DuckDBPyConnection, columns: Mapping[str, Sequence[str]]
) -> dict[str, list[int]]:
    """Columns of texts, by dimension, as columns of codes; new texts are assigned codes."""
    wanted = [(name, text) for name, column in columns.items() for text in set(column)]
    codes = {(name, text): code for name, text, code in _run(database, "find", wanted).fetchall()}
    if missing := [pair for pair in wanted if pair not in codes]:
        found = database.execute(
            "SELECT dimension, max(code) FROM dictionary GROUP BY dimension"
        ).fetchall()
        last = dict(found)
        for pair in missing:
            codes[pair] = last[pair[0]] = last.get(pair[0], 0) + 1
        _run(database, "add", [(*pair, codes[pair]) for pair in missing])
    return {name: [codes[name, text] for text in column] for name, column in columns.items()}


def _run(
    database: duckdb.DuckDBPyConnection, statement: str, rows: Sequence[tuple[str | int, ...]]
) -> duckdb.DuckDBPyConnection:
    """Run a statement over rows of the dictionary, or over their first columns."""
    names = ("dimension", "value", "code")
    given = dict(zip(names, zip(*rows, strict=True), strict=False))
    return database.execute(
        load_sql(PACKAGE, f"dictionary.{statement}"), {"rows": orjson.dumps(given).decode()}
    )
