"""One process per folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from outlay.kit.lockfile import LockFile, LockHeld

HOLD = """
import sys
from pathlib import Path
from outlay.kit.lockfile import LockFile
lock = LockFile(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outlay.lock"


def hold(path: Path) -> "subprocess.Popen[str]":
    """Another process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_held_lock_names_its_holder(path: Path) -> None:
    lock = LockFile(path)

    assert path.read_text() == f"{os.getpid()}\n"
    with pytest.raises(LockHeld) as refused:
        LockFile(path)
    assert refused.value.pid == str(os.getpid())
    lock.release()


def test_a_lock_that_was_given_up_is_free_again(path: Path) -> None:
    for _ in range(3):
        LockFile(path).release()

    assert path.exists()


def test_another_process_is_refused_and_named(path: Path) -> None:
    process = hold(path)
    with pytest.raises(LockHeld) as refused:
        LockFile(path)
    assert refused.value.pid == str(process.pid)

    process.communicate("")  # it ends
    LockFile(path).release()


def test_a_process_that_is_killed_holds_nothing(path: Path) -> None:
    process = hold(path)
    process.kill()
    process.communicate()

    lock = LockFile(path)
    assert path.read_text() == f"{os.getpid()}\n"
    lock.release()


def test_the_holder_before_leaves_nothing_of_its_name(path: Path) -> None:
    path.write_text("12345678901234567890\n")
    lock = LockFile(path)

    assert path.read_text() == f"{os.getpid()}\n"
    lock.release()


def test_only_the_owner_reads_it(path: Path) -> None:
    lock = LockFile(path)

    assert path.stat().st_mode & 0o777 == 0o600
    lock.release()
