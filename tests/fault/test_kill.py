"""SIGKILL at any moment: nothing acknowledged is lost, nothing counts twice."""

import signal
import time
from pathlib import Path
from random import Random

import pysqlite3
import pytest
from tests.acceptance.test_cli import IMPORT, ledger_total
from tests.program import command, kill_group, serving, start, wait_for_server, write_trace

from outlay.storage.sqlite import connect

ROWS = [
    (f"2023-11-16 {number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.0", number, 7)
    for number in range(60_000)
]
EXPECTED = (
    len(ROWS),
    sum(row[1] + row[2] for row in ROWS),
    sum(row[1] * 2_500_000 + row[2] * 10_000_000 for row in ROWS),
)


def count_events(data: Path) -> int:
    """Number of events in the ledger, 0 if it does not exist yet."""
    try:
        with connect(data / "outlay.sqlite3", read_only=True) as connection:
            return int(connection.execute("SELECT count(*) FROM usage_event").fetchone()[0])
    except pysqlite3.Error:
        return 0


def wait_for_events(data: Path, count: int) -> None:
    """Wait until the ledger has this many events."""
    deadline = time.monotonic() + 60
    while count_events(data) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))]
)
def test_killing_the_server_during_an_import_loses_and_duplicates_nothing(
    tmp_path: Path, seed: int
) -> None:
    data = tmp_path / "data"
    trace = write_trace(tmp_path / "trace.csv", ROWS)
    words = ("import", trace, *IMPORT, "--shift-to", "2026-11-01", "--data", data)
    command("owner", "me@example.test", "--data", data, env_password="a long password!")
    random = Random(seed)

    interrupted = stored = 0
    for _ in range(2):
        server = start("serve", "--data", data, "--port", "0")
        wait_for_server(data, server)
        importing = start(*words)
        wait_for_events(data, stored + random.randrange(1, 12_000))
        kill_group(server, signal.SIGKILL)
        _, message = importing.communicate(timeout=120)
        if importing.returncode:
            interrupted += 1
            assert "is unreachable" in message or "was lost" in message
        assert command("verify", "--data", data).returncode == 0
        stored = count_events(data)

    with serving(data):
        finished = command(*words)
        assert finished.returncode == 0, finished.stderr
        assert command("verify", "--data", data).returncode == 0
    assert interrupted > 0
    assert ledger_total(data) == EXPECTED


def test_killing_a_local_import_loses_and_duplicates_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    trace = write_trace(tmp_path / "trace.csv", ROWS)
    words = ("import", trace, *IMPORT, "--data", data)

    importing = start(*words)
    wait_for_events(data, 9_000)
    kill_group(importing, signal.SIGKILL)

    assert command("verify", "--data", data).returncode == 0
    assert command(*words).returncode == 0
    assert command("rebuild", "--data", data).returncode == 0
    assert ledger_total(data) == EXPECTED
