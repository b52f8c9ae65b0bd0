"""The cost per event of the multi-machine engines, and the gain of a second worker.

Everything runs on this machine: client, upstream, workers and PostgreSQL share its cores, so the
measured ratio of one to two workers is a lower bound.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
from tests.postgres import Cluster, running_postgres

from bench.ingest import BATCH, IN_FLIGHT, events
from bench.load import closed_loop
from bench.sides import outlay_side, whole_upstream
from outlay.domain.event import UsageEvent
from outlay.domain.outcome import Outcome
from outlay.kit.clock import SystemClock
from outlay.services.cube.projection import load_some
from outlay.storage.cube.clickhouse.home import ClickHouseHome
from outlay.storage.cube.clickhouse.store import ClickHouseCube
from outlay.storage.ledger.postgres.store import PostgresLedger
from outlay.storage.ledger.postgres.write_ahead_buffer import WriteAheadBuffer
from outlay.storage.ledger.sqlite.store import SqliteLedger
from outlay.storage.ledger.store import Ledger
from outlay.storage.postgres import PostgresDatabase

EVENTS: Final = 200_000
SECONDS: Final = 6
SETTINGS: Final = "-c shared_buffers=1GB -c max_wal_size=4GB"


def run() -> list[str]:
    """The tables, as lines of Markdown."""
    folder = Path(tempfile.mkdtemp(prefix="outlay-bench-"))
    try:
        with running_postgres(SETTINGS) as cluster:
            lines = ["### Whole answers, 64 connections", "", *_workers(folder, cluster)]
            lines += ["", f"### {EVENTS:,} events in batches of {BATCH:,}", ""]
            lines += _ledgers(folder, cluster)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return lines


def _workers(folder: Path, cluster: Cluster) -> list[str]:
    lines = [
        "| | requests/s | of one worker | CPU of the workers per request |",
        "|---|---|---|---|",
    ]
    first = 0.0
    with whole_upstream(folder / "upstream") as upstream:
        for name, url, workers in (
            ("PostgreSQL, 1 worker", cluster.create_database(), 1),
            ("PostgreSQL, 2 workers", cluster.create_database(), 2),
            ("SQLite, 1 worker", "", 1),
        ):
            place = folder / name.replace(" ", "-")
            with outlay_side(place, upstream, database_url=url, workers=workers) as side:
                rounds = [closed_loop(side, seconds=SECONDS, is_stream=False) for _ in range(3)]
            found = sorted(rounds)[1]
            first = first or found.per_second
            lines.append(
                f"| {name} | {found.per_second:,.0f} | {found.per_second / first:.2f}x | "
                f"{found.cpu_us:,.0f} µs |"
            )
    return lines


def _ledgers(folder: Path, cluster: Cluster) -> list[str]:
    url = cluster.create_database()
    database = PostgresDatabase(url)
    spool = WriteAheadBuffer(folder / "journal.sqlite3", 1_000)
    postgres = PostgresLedger(database, SystemClock(), node_id="bench", buffer=spool)
    sqlite = SqliteLedger(folder / "ledger.sqlite3", SystemClock())
    home = ClickHouseHome(f"chdb://{folder / 'chdb'}/outlay")
    cube = home.open(postgres.edition)
    assert isinstance(cube, ClickHouseCube)
    made = events(0, EVENTS)
    lines = ["| | events/s | CPU of Outlay per event | bytes per event |", "|---|---|---|---|"]
    before = _postgres_size(url)
    line = _timed("SQLite ledger", partial(_append, sqlite, made))
    sqlite.close()  # write the log's content into the file
    size = (folder / "ledger.sqlite3").stat().st_size
    lines.append(f"{line} {size / EVENTS:,.0f} |")
    line = _timed("PostgreSQL ledger", partial(_append, postgres, made))
    lines.append(f"{line} {(_postgres_size(url) - before) / EVENTS:,.0f} |")
    lines.append(f"{_timed('ClickHouse cube', partial(_load, postgres, cube))} below |")
    parts = home._server.ask(
        cube.database,
        "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND database = "
        f"'{cube.database}' AND table LIKE '%rollup' GROUP BY table ORDER BY table",
    )
    lines += ["", "| folded in the cube | events per row | bytes per row |", "|---|---|---|"]
    lines += [
        f"| {table} | {EVENTS / rows:,.1f} | {size / rows:.1f} |" for table, rows, size in parts
    ]
    postgres.close()
    database.close()
    home.close()
    return lines


def _timed(name: str, work: Callable[[], None]) -> str:
    begin, cpu = time.perf_counter(), sum(os.times()[:2])
    work()
    seconds, used = time.perf_counter() - begin, sum(os.times()[:2]) - cpu
    return f"| {name} | {EVENTS / seconds:,.0f} | {used / EVENTS * 1e6:.0f} µs |"


def _append(ledger: Ledger, made: list[UsageEvent]) -> None:
    waiting: list[Future[list[Outcome]]] = []
    for position in range(0, EVENTS, BATCH):
        waiting.append(ledger.submit(made[position : position + BATCH]))
        if len(waiting) > IN_FLIGHT:
            waiting.pop(0).result()
    for future in waiting:
        future.result()


def _load(ledger: Ledger, cube: ClickHouseCube) -> None:
    loaded = 0
    while loaded < ledger.last_seq:
        loaded = load_some(ledger, cube, loaded)
    cube._last_fold = -1e9
    cube.fold()


def _postgres_size(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(found[0]) if found else 0
