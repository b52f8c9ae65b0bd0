"""A file of records: gzip around length-prefixed MessagePack, with a digest of all at the end.

Written beside its name and renamed when it is whole and on disk; a file that was cut short, or
whose bytes have changed, is found out before anything is made of it.
"""

import gzip
import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, Invalid
from outlay.kit.durable import new_file

MAGIC: Final = b"outlay-backup-1\n"
MAX_RECORD: Final = 1 << 31
_END: Final = b"\0\0\0\0"

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode


class Record(NamedTuple):
    """One piece of what is backed up."""

    kind: str
    content: Any


def write_archive(path: Path, records: Iterable[Record]) -> int:
    """Write records to a new file; its size in bytes. Raises Invalid when there is one already."""
    if path.exists():
        raise Invalid(f"{path} exists; a backup never replaces a file")
    if path.exists():
        raise Invalid(f"{path} exists; a backup never replaces a file")
    try:
        with (
            new_file(path, is_exclusive=True) as descriptor,
            os.fdopen(descriptor, "wb", closefd=False) as raw,
            gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1) as file,
        ):
            _write(file, records)
    except FileExistsError as error:  # made in the meantime
        raise Invalid(f"{path} exists; a backup never replaces a file") from error
    return path.stat().st_size


def _write(file: gzip.GzipFile, records: Iterable[Record]) -> None:
    file.write(MAGIC)
    digest = blake2b()
    for record in records:
        body = _encode(record)
        head = len(body).to_bytes(4, "big")
        digest.update(head + body)
        file.write(head + body)
    file.write(_END + digest.digest())


def read_archive(path: Path) -> Iterator[Record]:
    """The records of a file; raises Invalid when it is no backup, Damaged when it is not whole."""
    try:
        with gzip.open(path) as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise Invalid(f"{path} is not a backup of Outlay")
            yield from _read(file, path)
    except (EOFError, gzip.BadGzipFile, OSError, msgspec.DecodeError) as error:
        if isinstance(error, FileNotFoundError):
            raise Invalid(f"there is no file {path}") from error
        if isinstance(error, gzip.BadGzipFile) and "Not a gzipped file" in str(error):
            raise Invalid(f"{path} is not a backup of Outlay") from error
        raise Damaged(f"{path} is not whole: {error}", code=ErrorCode.BACKUP_DAMAGED) from error


def _read(file: gzip.GzipFile, path: Path) -> Iterator[Record]:
    digest = blake2b()
    while (head := file.read(4)) != _END:
        size = int.from_bytes(head, "big")
        body = file.read(size) if len(head) == 4 and size < MAX_RECORD else b""
        if len(body) != size or not size:
            raise Damaged(f"{path} is not whole: it ends early", code=ErrorCode.BACKUP_DAMAGED)
        digest.update(head + body)
        yield Record(*_decode(body))
    if file.read() != digest.digest():
        raise Damaged(f"{path} is not what was written", code=ErrorCode.BACKUP_DAMAGED)
