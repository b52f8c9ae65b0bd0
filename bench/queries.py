"""Queries over a year of rollups: Outlay compared with PostgreSQL and SQLite, in one run."""

import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

from bench import engines
from bench.data import ORGANIZATION, export_csv, fill_cube
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import NO_MERGES
from outlay.domain.ids import OrganizationId
from outlay.domain.measure import Rank
from outlay.domain.period import Interval, Period, period_of_dates
from outlay.domain.query import CORE_MEASURES, UsageQuery
from outlay.domain.questions import Groups, StepTotals
from outlay.storage.cube.duckdb.store import DuckDBCube
from outlay.storage.cube.steps import step_edges

FROM: Final = date(2025, 11, 21)
TO: Final = date(2026, 11, 18)
RUNS: Final = 7

Timings = dict[str, dict[str, float]]


def median_ms(ask: Callable[[], Any], runs: int = RUNS) -> float:
    """Median of warm runs."""
    ask()
    taken = []
    for _ in range(runs):
        begin = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - begin) * 1000)
    return statistics.median(taken)


def period(zone: str) -> Period:
    """The same year in a zone."""
    return period_of_dates(FROM, TO, zone)


def question(zone: str = "UTC", **changes: Any) -> UsageQuery:
    """A year's query as the API runs it."""
    return UsageQuery(
        organization_id=OrganizationId(ORGANIZATION),
        period=period(zone),
        merges=NO_MERGES,
        measures=CORE_MEASURES,
        **changes,
    )


QUESTIONS: Final = {
    "org totals": question(),
    "daily cost by model, New York": question(
        "America/New_York", interval=Interval.DAY, group_by=Dimension.MODEL, top=10
    ),
    "daily cost by model, Kolkata": question(
        "Asia/Kolkata", interval=Interval.DAY, group_by=Dimension.MODEL, top=10
    ),
    "by user with counts": question(group_by=Dimension.USER, top=1000, ranks=(Rank.COST,)),
}


def ours(cube: DuckDBCube) -> Timings:
    """Outlay's code, and its SQL alone."""
    timings: Timings = {}
    for name, query in QUESTIONS.items():
        with cube.read() as reader:
            statements = reader._usage
            edges = step_edges(query.period, query.interval)
            asked: StepTotals | Groups
            if query.group_by is None:
                asked = StepTotals(query)
                text, parameters = statements.totals(query, edges)
            else:
                asked = Groups(query)
                text, parameters = statements.groups(query, edges)
            cursor = reader._cursor

            def answer(asked: StepTotals | Groups = asked, reader: Any = reader) -> None:
                reader.ask(asked)

            def bare(text: str = text, parameters: Any = parameters, cursor: Any = cursor) -> None:
                cursor.execute(text, parameters).fetchall()

            timings[name] = {"Outlay": median_ms(answer), "bare SQL": median_ms(bare)}
    return timings


def in_postgres(csv: Path) -> dict[str, float]:
    """The same in PostgreSQL."""
    found = {}
    with engines.postgres(csv) as connection:
        for name, query in QUESTIONS.items():
            text = _plain(name, query, engines.DAILY_POSTGRES)

            def ask(text: str = text) -> None:
                connection.execute(text).fetchall()

            found[name] = median_ms(ask, 3)
    return found


def in_sqlite(csv: Path, folder: Path) -> dict[str, float]:
    """The same in SQLite."""
    found = {}
    with engines.sqlite(csv, folder) as connection:
        for name, query in QUESTIONS.items():
            engines.put_steps(connection, query.period)
            text = _plain(name, query, engines.DAILY_SQLITE)

            def ask(text: str = text) -> None:
                connection.execute(text).fetchall()

            found[name] = median_ms(ask, 1)
    return found


def _plain(name: str, query: UsageQuery, daily: str) -> str:
    template = engines.TOTALS if "totals" in name else engines.BY_USER
    if "daily" in name:
        template = daily
    return template.format(
        start=query.period.start_bucket, end=query.period.end_bucket, zone=query.period.timezone
    )


def run(rows: int) -> list[str]:
    """The table, as lines of Markdown."""
    folder = Path(tempfile.mkdtemp(prefix="outlay-bench-"))
    try:
        cube = DuckDBCube(folder / "cube.duckdb", "bench")
        fill_cube(cube, rows)
        csv = folder / "rows.csv"
        export_csv(cube, csv)
        cube.close()
        cube = DuckDBCube(folder / "cube.duckdb", "bench")
        timings = ours(cube)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        cube.close()
        postgres_ms = in_postgres(csv)
        sqlite_ms = in_sqlite(csv, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    lines = [
        f"A year of {rows:,} rollup rows, medians of warm runs; times slower than Outlay:",
        "",
        "| question | Outlay | overhead over its bare SQL | PostgreSQL | SQLite |",
        "|---|---|---|---|---|",
    ]
    for name, timing in timings.items():
        base = timing["Outlay"]
        lines.append(
            f"| {name} | 1 ({base:.0f} ms) | {base - timing['bare SQL']:+.1f} ms "
            f"| {postgres_ms[name] / base:.1f}x | {sqlite_ms[name] / base:.1f}x |"
        )
    return [*lines, "", f"Peak memory of the process that asks: {memory} MB."]
