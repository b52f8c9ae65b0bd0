"""A backup file is complete or does not exist, whichever system call fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults import disk_full, every_fault, every_kill, input_output_error

from outlay.storage.archive import Record, read_archive, write_archive

RECORDS = [Record("batch", [number, "x" * 1_000]) for number in range(300)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "backup.outlay"


def test_any_fault_leaves_no_file(path: Path) -> None:
    for act in (disk_full, input_output_error):
        for error in every_fault(lambda: write_archive(path, RECORDS), act):
            assert isinstance(error, OSError) or list(read_archive(path)) == RECORDS
            if path.exists():  # only the flush of its name failed
                assert list(read_archive(path)) == RECORDS
                path.unlink()
            assert list(path.parent.iterdir()) == []
        path.unlink()


def test_kill_leaves_a_complete_file_or_none(path: Path) -> None:
    for _ in every_kill(lambda: write_archive(path, RECORDS)):
        assert not path.exists() or list(read_archive(path)) == RECORDS
        path.unlink(missing_ok=True)
    assert list(read_archive(path)) == RECORDS


def test_unreadable_records_leave_no_file(path: Path) -> None:
    def broken() -> Iterator[Record]:
        yield RECORDS[0]
        raise RuntimeError("the ledger went away")

    with pytest.raises(RuntimeError):
        write_archive(path, broken())
    assert list(path.parent.iterdir()) == []
