"""Signed checkpoints: earlier lines stay intact, even if a write fails."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.faults import disk_full, every_fault, every_kill, input_output_error

from outlay.domain.ids import OrganizationId
from outlay.storage.checkpoints import Checkpoint, CheckpointFile, read_checkpoints

SEED = bytes(range(32))


@pytest.fixture
def file(tmp_path: Path) -> CheckpointFile:
    made = CheckpointFile(tmp_path / "checkpoints.jsonl", SEED)
    for number in range(1, 4):
        made.append(checkpoint(number))
    return made


def checkpoint(number: int) -> Checkpoint:
    return Checkpoint(OrganizationId("org_1"), number, bytes([number]) * 32, number)


def numbers(file: CheckpointFile) -> list[int]:
    """The entries that have checkpoints; no line may be taken for a forged one."""
    return [found.number for found in _whole(file)]


def _whole(file: CheckpointFile) -> Iterator[Checkpoint]:
    for line in read_checkpoints(file.path, file.public_key):
        assert line.is_unfinished or line.checkpoint is not None, f"line {line.number} is blamed"
        if line.checkpoint is not None:
            yield line.checkpoint


def test_truncated_last_line_is_incomplete_and_affects_no_other(file: CheckpointFile) -> None:
    whole = file.path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    for cut in range(1, len(last) + 1):
        file.path.write_bytes(whole[:-cut])
        assert file.has_unfinished_end() == (cut < len(last))
        kept = [1, 2, 3] if cut == 1 else [1, 2]
        assert numbers(file) == kept
        file.append(checkpoint(4))
        file.append(checkpoint(5))
        assert numbers(file) == [*kept, 4, 5]
        assert not file.has_unfinished_end()


def test_zeros_after_a_power_cut_are_incomplete(file: CheckpointFile) -> None:
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:-150] + bytes(150))
    file.append(checkpoint(4))
    assert numbers(file) == [1, 2, 4]


def test_failing_call_keeps_earlier_lines(file: CheckpointFile) -> None:
    for act in (disk_full, input_output_error):
        for error in every_fault(lambda: file.append(checkpoint(4)), act):
            assert isinstance(error, OSError)
            assert numbers(file)[:3] == [1, 2, 3]
            file.append(checkpoint(5))
            assert numbers(file)[-1] == 5


def test_kill_keeps_earlier_lines(file: CheckpointFile) -> None:
    for _ in every_kill(lambda: file.append(checkpoint(4))):
        assert numbers(file)[:3] == [1, 2, 3]
    assert numbers(file)[-1] == 4


def test_partial_write_is_an_error_and_the_next_line_is_complete(
    file: CheckpointFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def take_some(descriptor: int, body: bytes) -> int:
        if len(body) > 40:
            return write(descriptor, bytes(body[:40]))
        disk_full()
        return 0

    monkeypatch.setattr(os, "write", take_some)
    with pytest.raises(OSError, match="space"):
        file.append(checkpoint(4))
    monkeypatch.undo()
    assert file.has_unfinished_end()
    file.append(checkpoint(5))
    assert numbers(file) == [1, 2, 3, 5]


def test_checkpoint_is_flushed_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        fsync(descriptor)
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append("folder" if is_folder else str(os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", record)
    file = CheckpointFile(tmp_path / "checkpoints.jsonl", SEED)
    file.append(checkpoint(1))
    size = file.path.stat().st_size
    file.append(checkpoint(2))
    assert synced == [str(size), "folder", str(size * 2)]


def test_concurrent_appends_write_whole_lines(file: CheckpointFile) -> None:
    others = [CheckpointFile(file.path, SEED) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: others[n % 4].append(checkpoint(n)), range(4, 44)))
    assert sorted(numbers(file)) == list(range(1, 44))
