"""Writing files so that a power cut or a full disk leaves the old content or the new, never a part.

A file is written beside its place, flushed, renamed, and its folder flushed, too: without the last
step the new name may be gone after a power cut although the content is on disk.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""Mode of everything that is written: its owner alone reads it."""

PART_SUFFIX: Final = ".part"
"""Ends the name of what is not complete yet."""


def write_all(descriptor: int, body: bytes) -> None:
    """Write all of `body`; raises OSError when the disk takes only a part of it."""
    rest = memoryview(body)
    while rest:
        written = os.write(descriptor, rest)
        if not written:
            raise OSError("nothing could be written")
        rest = rest[written:]


def append_lines(descriptor: int, lines: bytes) -> None:
    """Append whole lines; on disk when this returns.

    A line that an earlier write left unfinished is ended first, so that it spoils no other.
    """
    write_all(descriptor, lines if ends_in_newline(descriptor) else b"\n" + lines)
    os.fsync(descriptor)


def ends_in_newline(descriptor: int) -> bool:
    """Whether what is appended to a file begins a line."""
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def write_file(path: Path, body: bytes) -> None:
    """Write a file as a whole, in the place of the one that is there, if any."""
    with new_file(path) as descriptor:
        write_all(descriptor, body)


def create_file(path: Path, body: bytes) -> None:
    """Write a new file as a whole; raises FileExistsError when there is one."""
    with new_file(path, is_exclusive=True) as descriptor:
        write_all(descriptor, body)


@contextmanager
def new_file(path: Path, *, is_exclusive: bool = False) -> Iterator[int]:
    """A descriptor to write the content of `path` to, which is there once the block has ended.

    Nothing is left behind when the block raises. Exclusive ones never replace a file.
    """
    with new_path(path, is_exclusive=is_exclusive) as part:
        descriptor = create_private(part)
        try:
            yield descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def new_path(path: Path, *, is_exclusive: bool = False) -> Iterator[Path]:
    """Like `new_file`, for those who write to a path: where to. They flush it themselves."""
    part = path.with_name(f"{path.name}.{os.getpid()}{PART_SUFFIX}")
    part.unlink(missing_ok=True)
    try:
        yield part
        if is_exclusive:
            _place(part, path)
        else:
            part.replace(path)
        sync_folder(path.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def create_private(path: Path) -> int:
    """A descriptor of a new, empty file for its owner alone."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)


def _place(part: Path, path: Path) -> None:
    """Give a file its name unless there is one; raises FileExistsError when there is."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError as error:  # not every file system has hard links
        if path.exists():
            raise FileExistsError(path) from error
        part.replace(path)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk."""
    flush(folder)


def flush(path: Path) -> None:
    """Put on disk what a file or folder has, whoever wrote it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
