"""Four gateway processes on one PostgreSQL and one ClickHouse, killed repeatedly.

The database crashes, too, and the loader of the cube is killed as often as the others.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.clickhouse import running_clickhouse
from tests.fault.test_gateway_kill import Load, check_account, set_up, stored
from tests.postgres import Cluster, running_postgres
from tests.program import children_of, command, kill_group, start, wait_for_server
from tests.upstream import running_upstream

WORKERS = 4


@pytest.fixture
def own_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cluster]:
    """A server that flushes to disk, and programs configured for its database and a cube."""
    with running_postgres("") as running, running_clickhouse(tmp_path / "clickhouse") as url:
        monkeypatch.setenv("OUTLAY_DATABASE_URL", running.create_database())
        monkeypatch.setenv("OUTLAY_CUBE_URL", f"{url}/outlay")
        yield running


@pytest.mark.parametrize(
    "rounds", [6, pytest.param(60, marks=pytest.mark.long)], ids=["a few", "many"]
)
def test_kills_and_database_restarts_lose_and_duplicate_nothing(
    own_cluster: Cluster, tmp_path: Path, rounds: int
) -> None:
    data = tmp_path / "data"
    random = Random(7)
    kills = 0
    with running_upstream() as upstream:
        key = set_up(data, upstream)
        server = start("serve", "--data", data, "--port", "0", "--workers", str(WORKERS))
        try:
            url = wait_for_server(data, server)["url"]
            wait_for_workers(server.pid)
            with Load(url, key, is_persistent=True) as load:
                for number in range(rounds):
                    load.wait_for(50 * (number + 1))
                    time.sleep(random.uniform(0.3, 1.2))
                    if number % 6 == 3:
                        own_cluster.stop("immediate")
                        time.sleep(random.uniform(0.2, 1.0))
                        kills += kill_one(server.pid, random)
                        own_cluster.start()
                    else:
                        kills += kill_one(server.pid, random)
                wait_for_workers(server.pid)
                finished = load.stop()
        finally:
            kill_group(server, signal.SIGTERM)
        # The processes killed last settle, at their next start, what they left open.
        server = start("serve", "--data", data, "--port", "0", "--workers", str(WORKERS))
        wait_for_server(data, server)
        wait_for_workers(server.pid)
        kill_group(server, signal.SIGTERM)
        verified = command("verify", "--data", data)
        events = stored(data)

    assert verified.returncode == 0, verified.stdout + verified.stderr
    unfinished = check_account(events, finished, upstream)
    assert unfinished <= 6 * kills


def wait_for_workers(supervisor: int) -> None:
    """Wait until all processes are running and have had time to start."""
    deadline = time.monotonic() + 30
    while len(children_of(supervisor)) < WORKERS:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(2)


def kill_one(supervisor: int, random: Random) -> int:
    """Kill one of the processes, if any is running."""
    workers = children_of(supervisor)
    if workers:
        os.kill(random.choice(workers), signal.SIGKILL)
    return len(workers[:1])


def test_several_workers_require_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = command("serve", "--data", tmp_path, "--workers", "2")
    monkeypatch.setenv("OUTLAY_DATABASE_URL", f"postgresql://outlay:secret@/x?host={tmp_path}")
    away = command("serve", "--data", tmp_path, "--workers", "2")

    assert (without.returncode, away.returncode) == (2, 2)
    assert "Set OUTLAY_DATABASE_URL to postgresql://" in without.stderr
    assert "The database is unreachable" in away.stderr
    assert "secret" not in away.stderr


def test_workers_end_with_their_supervisor(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_URL", cluster.create_database())
    data = tmp_path / "data"
    server = start("serve", "--data", data, "--port", "0", "--workers", "2")
    wait_for_server(data, server)
    workers = children_of(server.pid)
    assert len(workers) == 2

    os.kill(server.pid, signal.SIGKILL)
    server.communicate(timeout=30)  # its pipes are inherited: this returns when all have ended

    assert not any(is_running(pid) for pid in workers)


def is_running(pid: int) -> bool:
    """Whether a process is running, and not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
