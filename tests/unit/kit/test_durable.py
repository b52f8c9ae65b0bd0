"""Files exist completely or not at all, whichever system call fails."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.faults import CALLS, every_fault, every_kill, input_output_error

from outlay.kit import durable
from outlay.kit.durable import create_file, write_all, write_file
from outlay.kit.lockfile import LockFile
from outlay.kit.sealing import create_key, read_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a file"


def test_file_is_replaced_atomically(path: Path) -> None:
    write_file(path, b"old")
    runs = 0
    for error in every_fault(lambda: write_file(path, b"new content")):
        runs += 1
        assert error is not None
        # After the rename, only the flush of the name is uncertain.
        assert path.read_bytes() in {b"old", b"new content"}
        assert [each.name for each in path.parent.iterdir()] == [path.name]
        path.write_bytes(b"old")
    assert runs >= 5
    assert path.read_bytes() == b"new content"


def test_existing_file_is_never_replaced_by_a_new_one(path: Path) -> None:
    create_file(path, b"first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        create_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_files_are_created_without_hard_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    create_file(path, b"first")
    with pytest.raises(FileExistsError):
        create_file(path, b"second")
    assert path.read_bytes() == b"first"


def test_killed_process_leaves_the_old_or_the_new_content(path: Path) -> None:
    write_file(path, b"old")
    for _ in every_kill(lambda: write_file(path, b"new")):
        assert path.read_bytes() in {b"old", b"new"}
        path.write_bytes(b"old")
    assert path.read_bytes() == b"new"


def test_partial_writes_are_continued(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, body: write(file, bytes(body[:3])))
    write_file(path, b"ten bytes!")
    assert path.read_bytes() == b"ten bytes!"
    monkeypatch.setattr(os, "write", lambda *_: 0)
    with pytest.raises(OSError, match="nothing"):
        write_all(1, b"more")


def test_order_of_flushes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content before the name, the name before the caller continues."""
    calls: list[str] = []

    def record(name: str) -> Callable[..., object]:
        call = getattr(os, name)

        def recorded(*arguments: Any, **options: Any) -> object:
            found = call(*arguments, **options)
            is_folder = name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
            calls.append("fsync of the folder" if is_folder else name)
            return found

        return recorded

    for name in CALLS:
        monkeypatch.setattr(os, name, record(name))
    write_file(path, b"content")
    assert [name for name in calls if name != "open"] == [
        "write",
        "fsync",
        "replace",
        "fsync of the folder",
    ]


def test_key_file_is_complete_or_recreated(path: Path) -> None:
    for error in every_fault(lambda: create_key(path), input_output_error):
        assert error is not None
        found = read_key(path)
        assert found is None or create_key(path) == found
        path.unlink(missing_ok=True)
    for _ in every_kill(lambda: create_key(path)):
        found = read_key(path)
        assert create_key(path) == read_key(path)
        assert found in {None, read_key(path)}
        path.unlink()


def test_unwritable_lock_is_not_held(path: Path) -> None:
    for error in every_fault(lambda: LockFile(path).release()):
        assert isinstance(error, OSError)
        LockFile(path).release()


def test_temporary_files_are_private(path: Path) -> None:
    before = os.umask(0)
    try:
        with durable.new_file(path):
            (part,) = path.parent.iterdir()
            assert stat.S_IMODE(part.stat().st_mode) == 0o600
    finally:
        os.umask(before)
