"""The same queries in plain PostgreSQL and SQLite, over the same rows."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg
import pysqlite3
from tests.postgres import ADMIN, running_postgres

from bench.data import ORGANIZATION
from outlay.domain.period import Interval, Period, steps_of
from outlay.storage.cube.rollups import USAGE

CORE: Final = (
    "sum(requests), sum(input_tokens), sum(output_tokens), sum(cost_pusd), "
    "sum(errors), sum(client_errors)"
)
WINDOW: Final = f"organization_id = '{ORGANIZATION}' AND bucket >= {{start}} AND bucket < {{end}}"

TOTALS: Final = f"SELECT {CORE} FROM usage_rollup WHERE {WINDOW}"
BY_USER: Final = (
    f"SELECT user_id, {CORE}, count(DISTINCT api_key_id) FROM usage_rollup "
    f"WHERE {WINDOW} GROUP BY user_id ORDER BY sum(cost_pusd) DESC"
)
DAILY_POSTGRES: Final = (
    "SELECT (to_timestamp(bucket * 900.0) AT TIME ZONE '{zone}')::date AS day, model, "
    f"{CORE} FROM usage_rollup WHERE {WINDOW} GROUP BY 1, 2"
)
DAILY_SQLITE: Final = (
    f"SELECT step, model, {CORE} FROM usage_rollup JOIN step USING (bucket) "
    f"WHERE {WINDOW} GROUP BY 1, 2"
)
"""SQLite has no time zones, so it gets the bucket map computed by Outlay."""


def postgres_type(column: str) -> str:
    """The type of a rollup column in PostgreSQL."""
    if column == "bucket":
        return "integer"
    return "bigint" if column in USAGE.measures else "text"


@contextlib.contextmanager
def postgres(csv: Path) -> Iterator[psycopg.Connection[Any]]:
    """A temporary PostgreSQL with the rows, indexed and analysed."""
    options = (
        "-c shared_buffers=4GB -c work_mem=256MB -c maintenance_work_mem=1GB -c jit=off "
        "-c max_wal_size=8GB -c max_parallel_workers_per_gather=2"
    )
    with (
        running_postgres(f"{options} -c fsync=off") as cluster,
        psycopg.connect(cluster.url("postgres", ADMIN), autocommit=True) as connection,
    ):
        columns = ", ".join(f"{name} {postgres_type(name)}" for name in USAGE.columns)
        connection.execute(f"CREATE TABLE usage_rollup ({columns})")
        copying = connection.cursor().copy("COPY usage_rollup FROM STDIN (FORMAT csv)")
        with copying as copy, csv.open("rb") as rows:
            while chunk := rows.read(1 << 20):
                copy.write(chunk)
        connection.execute("CREATE INDEX ON usage_rollup (organization_id, bucket)")
        connection.execute("VACUUM ANALYZE usage_rollup")
        yield connection


@contextlib.contextmanager
def sqlite(csv: Path, folder: Path) -> Iterator[Any]:
    """A SQLite file with the rows."""
    connection = pysqlite3.connect(folder / "bench.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-1048576")
    columns = ", ".join(
        f"{name} {'TEXT' if postgres_type(name) == 'text' else 'INTEGER'}" for name in USAGE.columns
    )
    connection.execute(f"CREATE TABLE usage_rollup ({columns})")
    places = ", ".join("?" * len(USAGE.columns))
    connection.execute("BEGIN")
    with csv.open() as lines:
        rows = (line.rstrip("\n").replace('"', "").split(",") for line in lines)
        connection.executemany(f"INSERT INTO usage_rollup VALUES ({places})", rows)
    connection.execute("COMMIT")
    connection.execute("CREATE INDEX i ON usage_rollup (organization_id, bucket)")
    connection.execute("CREATE TABLE step (bucket INTEGER PRIMARY KEY, step INTEGER)")
    try:
        yield connection
    finally:
        connection.close()


def put_steps(connection: Any, period: Period) -> None:
    """The bucket-to-day map of a period."""
    rows: Sequence[tuple[int, int]] = [
        (bucket, index)
        for index, step in enumerate(steps_of(period, Interval.DAY))
        for bucket in range(step.start_bucket, step.end_bucket)
    ]
    connection.execute("DELETE FROM step")
    connection.executemany("INSERT INTO step VALUES (?, ?)", rows)
