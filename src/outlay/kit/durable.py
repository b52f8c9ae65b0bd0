"""Crash-safe file writes: after a power failure or on a full disk, a file has its old or its new
content, never a part.

A file is written under a temporary name, flushed and renamed. Its folder is flushed, too: otherwise
a power failure may lose the new name although the content is on disk.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""Mode of all written files: only the owner can read them."""

PART_SUFFIX: Final = ".part"
"""Suffix of incomplete files."""


def write_all(descriptor: int, body: bytes) -> None:
    """Write all of `body`; raises OSError if the disk takes only a part of it."""
    rest = memoryview(body)
    while rest:
        written = os.write(descriptor, rest)
        if not written:
            raise OSError("nothing could be written")
        rest = rest[written:]


def append_lines(descriptor: int, lines: bytes) -> None:
    """Append complete lines; they are on disk when this returns.

    A line that an earlier write left incomplete is terminated first, so that it does not corrupt
    the next one.
    """
    write_all(descriptor, lines if ends_in_newline(descriptor) else b"\n" + lines)
    os.fsync(descriptor)


def ends_in_newline(descriptor: int) -> bool:
    """Whether text appended to the file starts a new line."""
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def write_file(path: Path, body: bytes) -> None:
    """Write a complete file, replacing the existing one."""
    with new_file(path) as descriptor:
        write_all(descriptor, body)


def create_file(path: Path, body: bytes) -> None:
    """Write a complete new file; raises FileExistsError if it exists."""
    with new_file(path, is_exclusive=True) as descriptor:
        write_all(descriptor, body)


@contextmanager
def new_file(path: Path, *, is_exclusive: bool = False) -> Iterator[int]:
    """A file descriptor to write the content of `path` to; the file appears when the block ends.

    Nothing is left behind if the block raises. An exclusive write never replaces a file.
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
    """Like `new_file`, but yields a temporary path; the caller flushes the file."""
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
    """A descriptor of a new, empty file that only the owner can access."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)


def _place(part: Path, path: Path) -> None:
    """Rename a file unless the target exists; raises FileExistsError if it does."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError as error:  # not every file system has hard links
        if path.exists():
            raise FileExistsError(path) from error
        part.replace(path)


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to disk."""
    flush(folder)


def flush(path: Path) -> None:
    """Flush a file or folder to disk, whichever process wrote it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
