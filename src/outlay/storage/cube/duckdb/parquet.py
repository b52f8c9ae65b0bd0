"""Tables as Parquet, by the engine that is here anyway."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Final

import duckdb
import orjson

_CHUNK: Final = 20_000


def write_parquet(
    file: IO[bytes],
    shape: Sequence[tuple[str, int | None]],
    rows: Iterable[Sequence[str | None]],
    metadata: Callable[[], str],
) -> None:
    """Write rows of texts as exact columns; `metadata` is asked for after the last row.

    `shape` has each column's name and its decimals, None for text.
    """
    types = ["VARCHAR" if scale is None else f"DECIMAL(38, {scale})" for _, scale in shape]
    with tempfile.TemporaryDirectory(prefix="outlay-parquet-") as folder:
        path = Path(folder) / "table.parquet"
        # Beside the file, not in memory: a report may be larger than that.
        database = duckdb.connect(
            str(Path(folder) / "table.duckdb"),
            config={"memory_limit": "256MB", "threads": 1, "temp_directory": folder},
        )
        try:
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
            told = metadata().replace("'", "''")
            database.execute(
                f"COPY export TO '{path}' "
                f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{outlay: '{told}'}})"
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
