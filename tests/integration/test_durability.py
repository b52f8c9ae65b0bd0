"""Acknowledged data is on disk: every connection waits for it, every file is flushed first."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pysqlite3
import pytest
from sqlalchemy import text
from tests.backdoor import connection_of, sql_session, writer_of
from tests.clocks import FixedClock
from tests.factories import make_event

from outlay.domain.ids import OrganizationId
from outlay.services.bundle import Services
from outlay.storage.archive import Record, read_archive, write_archive
from outlay.storage.checkpoints import Checkpoint, CheckpointFile
from outlay.storage.ledger.postgres.write_ahead_buffer import WriteAheadBuffer
from outlay.storage.ledger.sqlite.store import SqliteLedger
from outlay.storage.sqlite import connect

FULL = 2
"""`PRAGMA synchronous`: each commit waits until the write-ahead log is on disk."""

ON = 1

Ask = Callable[[str], Any]
"""Returns the value of a pragma on a connection."""


@contextmanager
def ledger_writer(folder: Path, clock: FixedClock) -> Iterator[Ask]:
    ledger = SqliteLedger(folder / "ledger.sqlite3", clock)
    yield lambda name: writer_of(ledger).execute(f"PRAGMA {name}").fetchone()[0]
    ledger.close()


@contextmanager
def journal(folder: Path, clock: FixedClock) -> Iterator[Ask]:
    spool = WriteAheadBuffer(folder / "journal.sqlite3", 10)
    yield lambda name: connection_of(spool).execute(f"PRAGMA {name}").fetchone()[0]
    spool.close()


@contextmanager
def any_other(folder: Path, clock: FixedClock) -> Iterator[Ask]:
    connection = connect(folder / "some.sqlite3")
    yield lambda name: connection.execute(f"PRAGMA {name}").fetchone()[0]
    connection.close()


@pytest.mark.parametrize("opened", [ledger_writer, journal, any_other])
def test_commit_waits_for_the_disk(
    opened: Callable[[Path, FixedClock], Any], tmp_path: Path, clock: FixedClock
) -> None:
    with opened(tmp_path, clock) as ask:
        assert ask("synchronous") == FULL
        assert ask("journal_mode") == "wal"
        assert ask("foreign_keys") == ON
        assert ask("secure_delete") == ON


def test_directory_change_waits_for_the_disk(services: Services) -> None:
    directory = services.directory
    for transaction in (directory.read, directory.write, directory.change):
        with transaction() as session:
            connection = sql_session(session).connection()
            assert connection.scalar(text("PRAGMA synchronous")) == FULL, transaction
            assert connection.scalar(text("PRAGMA journal_mode")) == "wal"


class Disk:
    """What has been flushed of each file, by its inode."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._flushed: dict[int, int] = {}
        self.renamed: list[str] = []
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._watched(getattr(os, name)))
        for owner, name in ((Path, "replace"), (Path, "rename"), (os, "replace"), (os, "rename")):
            monkeypatch.setattr(owner, name, self._checked(getattr(owner, name)))

    def _watched(self, flush: Callable[[Any], None]) -> Callable[[Any], None]:
        def watched(file: Any) -> None:
            flush(file)
            found = os.fstat(file if isinstance(file, int) else file.fileno())
            self._flushed[found.st_ino] = found.st_size

        return watched

    def _checked(self, rename: Callable[..., Any]) -> Callable[..., Any]:
        def checked(source: Any, target: Any, *more: Any, **named: Any) -> Any:
            assert self.has(Path(source)), f"{source} is renamed before it is flushed"
            self.renamed.append(Path(target).name)
            return rename(source, target, *more, **named)

        return checked

    def has(self, path: Path) -> bool:
        """Whether a file was completely flushed."""
        found = path.stat()
        return self._flushed.get(found.st_ino) == found.st_size


def test_checkpoint_is_flushed_before_its_change_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    checkpoints = CheckpointFile(tmp_path / "checkpoints.jsonl", bytes(32))
    for number in range(1, 4):
        checkpoints.append(Checkpoint(OrganizationId("org_a"), number, bytes(16), number))
        assert disk.has(checkpoints.path), number


def test_backup_is_flushed_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    path = tmp_path / "b.outlay"
    write_archive(path, [Record("header", {"number": number}) for number in range(3)])

    assert disk.has(path)
    assert len(list(read_archive(path))) == 3


def test_acknowledged_event_is_in_the_database_file_and_its_log(
    tmp_path: Path, clock: FixedClock
) -> None:
    """Read as after a power failure: from the files, without the state of the process."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", clock)
    ledger.append([make_event(event_id="first")])
    copy = tmp_path / "copy"
    copy.mkdir()
    for suffix in ("", "-wal"):
        source = tmp_path / f"ledger.sqlite3{suffix}"
        (copy / source.name).write_bytes(source.read_bytes())

    found = SqliteLedger(copy / "ledger.sqlite3", clock)
    assert [row[3] for batch in found.read_batches(0) for row in batch.rows] == ["first"]
    found.close()
    ledger.close()


def test_interrupted_database_creation_can_be_opened_for_reading(tmp_path: Path) -> None:
    """Its rollback journal still exists, which a read-only connection may not apply."""
    path, copy = tmp_path / "made.sqlite3", tmp_path / "copy.sqlite3"
    with closing(pysqlite3.connect(path, isolation_level=None)) as maker:
        maker.execute("PRAGMA cache_size=1")
        maker.execute("CREATE TABLE kept (text)")
        maker.execute("BEGIN IMMEDIATE")
        maker.execute("CREATE TABLE unfinished (text)")
        for _ in range(500):  # more than the cache holds, so that it is written before the end
            maker.execute("INSERT INTO unfinished VALUES (?)", ("x" * 1_000,))
        for suffix in ("", "-journal"):
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")

    with closing(connect(copy, read_only=True)) as reader:
        tables = reader.execute("SELECT name FROM sqlite_schema").fetchall()

    assert tables == [("kept",)]


def test_bundled_models_are_loaded_at_import() -> None:
    script = (
        "import outlay.pricing.canonical as canonical\n"
        "import builtins, io\n"
        "builtins.open = io.open = lambda *_: exit('opened a file')\n"
        "print(canonical.canonical_model('openai/gpt-4o'))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "gpt-4o\n"), found.stderr
