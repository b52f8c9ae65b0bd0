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


def test_held_lock_names_its_holder(path: Path) -> None:
    lock = LockFile(path)

    assert path.read_text() == f"{os.getpid()}\n"
    with pytest.raises(LockHeld) as refused:
        LockFile(path)
    assert refused.value.pid == str(os.getpid())
    lock.release()


def test_released_lock_can_be_acquired(path: Path) -> None:
    for _ in range(3):
        LockFile(path).release()

    assert path.exists()


def test_other_process_is_refused_with_the_holder(path: Path) -> None:
    process = hold(path)
    with pytest.raises(LockHeld) as refused:
        LockFile(path)
    assert refused.value.pid == str(process.pid)

    process.communicate("")  # it ends
    LockFile(path).release()


def test_killed_process_holds_no_lock(path: Path) -> None:
    process = hold(path)
    process.kill()
    process.communicate()

    lock = LockFile(path)
    assert path.read_text() == f"{os.getpid()}\n"
    lock.release()


def test_name_of_the_previous_holder_is_overwritten(path: Path) -> None:
    path.write_text("12345678901234567890\n")
    lock = LockFile(path)

    assert path.read_text() == f"{os.getpid()}\n"
    lock.release()


def test_lock_file_is_private(path: Path) -> None:
    lock = LockFile(path)

    assert path.stat().st_mode & 0o777 == 0o600
    lock.release()
