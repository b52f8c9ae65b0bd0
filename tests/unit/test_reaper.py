"""Programs that tests start end with the run, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.program import command_of, kill_group, launch

ROOT = Path(__file__).parents[2]
STARTING = """
import sys, time
from tests.program import kill_group, launch

ended = launch(["sleep", "600"])
kill_group(ended)
kept = launch(["sh", "-c", "sleep 600 & echo $!; wait"])
print(kept.stdout.readline().strip(), kept.pid, flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    return bool(command_of(pid))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_killed_leaves_no_program_behind(how: signal.Signals) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", STARTING], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert run.stdout is not None
    started = [int(pid) for pid in run.stdout.readline().split()]
    assert all(map(is_running, started))
    os.kill(run.pid, how)
    run.communicate(timeout=10)

    deadline = time.monotonic() + 10
    while any(map(is_running, started)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_running, started))


def test_killing_a_group_ends_its_children() -> None:
    process = launch(["sh", "-c", "sleep 600 & echo $!; wait"])
    assert process.stdout is not None
    child = int(process.stdout.readline())
    kill_group(process)

    deadline = time.monotonic() + 10
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(child)
