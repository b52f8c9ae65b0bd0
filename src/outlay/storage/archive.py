"""The backup file format: gzip of length-prefixed MessagePack records, ending with a digest of
everything before it.

It is written under a temporary name and renamed when it is complete and on disk. A truncated or
changed file is detected before anything is restored from it.
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
    """One record of a backup."""

    kind: str
    content: Any


def write_archive(path: Path, records: Iterable[Record]) -> int:
    """Write records to a new file and return its size in bytes. Raises Invalid if the file
    exists.
    """
    if path.exists():
        raise Invalid(
            f"{path} already exists. A backup never replaces a file; choose another path."
        )
    if path.exists():
        raise Invalid(
            f"{path} already exists. A backup never replaces a file; choose another path."
        )
    try:
        with (
            new_file(path, is_exclusive=True) as descriptor,
            os.fdopen(descriptor, "wb", closefd=False) as raw,
            gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1) as file,
        ):
            _write(file, records)
    except FileExistsError as error:  # created in the meantime
        raise Invalid(
            f"{path} already exists. A backup never replaces a file; choose another path."
        ) from error
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
    """The records of a file; raises Invalid if it is not a backup, Damaged if it is incomplete."""
    try:
        with gzip.open(path) as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise Invalid(f"{path} is not an Outlay backup.")
            yield from _read(file, path)
    except (EOFError, gzip.BadGzipFile, OSError, msgspec.DecodeError) as error:
        if isinstance(error, FileNotFoundError):
            raise Invalid(f"There is no file {path}.") from error
        if isinstance(error, gzip.BadGzipFile) and "Not a gzipped file" in str(error):
            raise Invalid(f"{path} is not an Outlay backup.") from error
        raise Damaged(f"{path} is damaged: {error}.", code=ErrorCode.BACKUP_DAMAGED) from error


def _read(file: gzip.GzipFile, path: Path) -> Iterator[Record]:
    digest = blake2b()
    while (head := file.read(4)) != _END:
        size = int.from_bytes(head, "big")
        body = file.read(size) if len(head) == 4 and size < MAX_RECORD else b""
        if len(body) != size or not size:
            raise Damaged(f"{path} is damaged: it ends early.", code=ErrorCode.BACKUP_DAMAGED)
        digest.update(head + body)
        yield Record(*_decode(body))
    if file.read() != digest.digest():
        raise Damaged(
            f"{path} is damaged: its checksum does not match.", code=ErrorCode.BACKUP_DAMAGED
        )
