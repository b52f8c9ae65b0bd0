"""Writing tables as Parquet with DuckDB, which is installed for the cube."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Final

import duckdb
import orjson

_CHUNK: Final = 20_000
_COUNT: Final = "BIGINT"
_LARGEST: Final = 2**63 - 1
_LARGE_COUNT: Final = "DECIMAL(38, 0)"
"""The type of counts beyond 64 bits."""


def write_parquet(
    file: IO[bytes],
    shape: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[str | None]],
    metadata: Callable[[], str | None],
) -> None:
    """Write rows of texts as exact columns; `metadata` is called after the last row.

    `shape` has the name and SQL type of each column. A BIGINT column with a value that does not fit
    is written as DECIMAL(38, 0).
    """
    with tempfile.TemporaryDirectory(prefix="outlay-parquet-") as folder:
        path = Path(folder) / "table.parquet"
        # Next to the file, not in memory: a report may be larger than memory.
        database = duckdb.connect(
            str(Path(folder) / "table.duckdb"),
            config={"memory_limit": "256MB", "threads": 1, "temp_directory": folder},
        )
        try:
            types = [_LARGE_COUNT if kind == _COUNT else kind for _, kind in shape]
            columns = ", ".join(
                f'"{name}" {kind}' for (name, _), kind in zip(shape, types, strict=True)
            )
            database.execute(f"CREATE TABLE export ({columns})")
            statement = _insert(types)
            source = iter(rows)
            while chunk := list(islice(source, _CHUNK)):
                cells = {
                    f"c{index}": column for index, column in enumerate(zip(*chunk, strict=True))
                }
                database.execute(statement, {"cells": orjson.dumps(cells).decode()})
            found = metadata()
            metadata_option = (
                "" if found is None else f", KV_METADATA {{outlay: '{_quoted(found)}'}}"
            )
            database.execute(
                f"COPY ({_select(database, shape)}) TO '{path}' "
                f"(FORMAT parquet, COMPRESSION zstd{metadata_option})"
            )
        finally:
            database.close()
        with path.open("rb") as written:
            shutil.copyfileobj(written, file)


def _insert(types: Sequence[str]) -> str:
    texts = ", ".join(f'"c{index}": ["VARCHAR"]' for index in range(len(types)))
    values = ", ".join(
        f"CAST(unnest(cells.c{index}) AS {kind})" for index, kind in enumerate(types)
    )
    return (
        f"INSERT INTO export SELECT {values} "  # noqa: S608 - types are constants
        f"FROM (SELECT from_json($cells, '{{{texts}}}') AS cells)"
    )


def _select(database: duckdb.DuckDBPyConnection, shape: Sequence[tuple[str, str]]) -> str:
    """The SELECT statement for the table; count columns are BIGINT if all values fit."""
    counts = [name for name, kind in shape if kind == _COUNT]
    fitting: set[str] = set()
    if counts:
        checks = ", ".join(f'coalesce(max("{name}"), 0) <= {_LARGEST}' for name in counts)
        found = database.execute(f"SELECT {checks} FROM export").fetchone()  # noqa: S608 - names of columns
        fitting = {name for name, fits in zip(counts, found or (), strict=True) if fits}
    columns = ", ".join(
        f'CAST("{name}" AS {_COUNT}) AS "{name}"' if name in fitting else f'"{name}"'
        for name, _ in shape
    )
    return f"SELECT {columns} FROM export"  # noqa: S608 - names of columns


def _quoted(text: str) -> str:
    return text.replace("'", "''")
