"""Opening SQLite with durable commits, and rejecting versions that may lose data.

The driver is `pysqlite3`, which bundles its own SQLite: the system's may be one of 3.7.0 to 3.51.2,
whose write-ahead log can be corrupted when it is reset (sqlite.org/wal.html, "The WAL-reset bug";
fixed in 3.51.3 and in the patch releases named below).
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pysqlite3 as driver

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, OutlayError, Unavailable
from outlay.kit.durable import create_private, flush, new_path
from outlay.storage.health import StorageHealth

logger = logging.getLogger(__name__)

Connection = Any
"""A pysqlite3 connection; the package ships no type hints."""

FIRST_AFFECTED: Final = (3, 7, 0)
FIRST_FIXED: Final = (3, 51, 3)
FIXED_PATCHES: Final = ((3, 50, 7), (3, 44, 6))
"""Patch releases of older branches with the fix."""

BUSY_MS: Final = 10_000
"""How long a statement waits for a lock."""

TRUNCATE_WAIT_MS: Final = 20
TRUNCATE_PAUSE_SECONDS: Final = 0.05
TRUNCATE_TRIES: Final = 200


def check_sqlite_version(version: tuple[int, int, int] = driver.sqlite_version_info) -> None:
    """Raise Damaged if `version` of SQLite has the WAL-reset corruption bug."""
    if not FIRST_AFFECTED <= version < FIRST_FIXED:
        return
    for patch in FIXED_PATCHES:
        if version[:2] == patch[:2] and version >= patch:
            return
    shown = ".".join(map(str, version))
    raise Damaged(
        f"SQLite {shown} can corrupt its write-ahead log. Install pysqlite3 0.6.1 or newer, which "
        "bundles a fixed version.",
        code=ErrorCode.SQLITE_AFFECTED,
    )


def sqlite_version() -> str:
    """The version of the bundled SQLite."""
    return str(driver.sqlite_version)


def connect(path: Path, *, read_only: bool = False) -> Connection:
    """An autocommit connection in WAL mode with `synchronous=FULL`; foreign keys are enforced."""
    check_sqlite_version()
    if read_only and path.with_name(f"{path.name}-journal").exists():
        # The creating process was killed before it had a write-ahead log: only a writer may roll
        # back the incomplete transaction.
        with closing(driver.connect(f"file:{path}?mode=rw", uri=True)) as writer:
            writer.execute("SELECT 1 FROM sqlite_schema").fetchone()
    connection = driver.connect(
        f"file:{path}?mode={'ro' if read_only else 'rwc'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=10.0,
        cached_statements=256,
    )
    if not read_only:
        connection.execute("PRAGMA journal_mode=WAL")
    apply_pragmas(connection)
    return connection


def truncate_log(connection: Connection) -> None:
    """Checkpoint the write-ahead log and truncate it, so that no overwritten data stays in it.

    Writers wait only for milliseconds at a time: most is copied while they continue, and they never
    wait for a reader.
    """
    connection.execute(f"PRAGMA busy_timeout={TRUNCATE_WAIT_MS}")
    try:
        for _ in range(TRUNCATE_TRIES):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not is_busy:
                return
            time.sleep(TRUNCATE_PAUSE_SECONDS)
        logger.warning(
            "the write-ahead log could not be truncated because there were always readers; erased "
            "data stays in it until the next checkpoint"
        )
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")


def apply_pragmas(connection: Connection) -> None:
    """Apply the settings of every connection to the database."""
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_MS}",
        "cache_size=-8192",
        "temp_store=MEMORY",
        # Erased data must not stay in free space, nor data that was deleted earlier.
        "secure_delete=ON",
        "journal_size_limit=67108864",
        # A checkpoint stalls the commit that triggers it: run it rarely.
        "wal_autocheckpoint=8000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def copy_database(path: Path, target: Path) -> None:
    """Copy a database to a new file, page by page, as of now, even while it is written to.

    On disk when this returns; nothing is left behind if it raises.
    """
    with new_path(target, is_exclusive=True) as part:
        os.close(create_private(part))
        with (
            closing(connect(path, read_only=True)) as source,
            closing(driver.connect(str(part))) as copy,
        ):
            source.backup(copy)
        flush(part)


# Translation of errors

_DAMAGE: Final = (driver.SQLITE_CORRUPT, driver.SQLITE_NOTADB)
_IOERR_SHMSIZE: Final = driver.SQLITE_IOERR | 19 << 8
"""The driver does not name it (sqlite.org/rescode.html)."""
_CODES: Final = {_IOERR_SHMSIZE: driver.SQLITE_FULL}
"""The log's index, which is in memory, cannot grow: written data is not affected."""
_TEXTS: Final = {
    "disk I/O error": driver.SQLITE_IOERR,
    "database or disk is full": driver.SQLITE_FULL,
    "database disk image is malformed": driver.SQLITE_CORRUPT,
}
"""Messages of errors without a code, such as the driver's own."""

_BUSY: Final = ("The database is busy. Try again in a moment.", ErrorCode.DATABASE_BUSY)
_UNOPENABLE: Final = (
    "The database file cannot be opened. Check its mode and owner, and those of its folder.",
    ErrorCode.DATABASE_UNOPENABLE,
)
_REFUSALS: Final = {
    driver.SQLITE_FULL: (
        "The database is not writable: the disk is full. Free some space and try again.",
        ErrorCode.DISK_FULL,
    ),
    driver.SQLITE_READONLY: (
        "The database is not writable: its file is read-only.",
        ErrorCode.DATABASE_READ_ONLY,
    ),
    driver.SQLITE_BUSY: _BUSY,
    driver.SQLITE_LOCKED: _BUSY,
    driver.SQLITE_CANTOPEN: _UNOPENABLE,
    driver.SQLITE_PERM: _UNOPENABLE,
    driver.SQLITE_NOMEM: (
        "The database ran out of memory. Try again in a moment.",
        ErrorCode.OUT_OF_MEMORY,
    ),
}
"""SQLite's code → message and Outlay's code."""


def refusal_of(error: Exception, health: StorageHealth) -> OutlayError | None:
    """The Outlay error for an error of SQLite; None if it is a bug.

    An I/O error is recorded in `health`.
    """
    if not isinstance(error, driver.Error):
        return None
    extended = getattr(error, "sqlite_errorcode", None)
    code = _TEXTS.get(str(error)) if extended is None else _CODES.get(extended, extended & 0xFF)
    if code == driver.SQLITE_IOERR:
        return health.fail(str(error))
    if code in _DAMAGE:
        return Damaged(
            f"The database is damaged ({error}). Restore a backup.",
            code=ErrorCode.DATABASE_DAMAGED,
        )
    if code not in _REFUSALS:
        return None
    message, ours = _REFUSALS[code]
    return Unavailable(message, code=ours)


@contextmanager
def translating_errors(health: StorageHealth) -> Iterator[None]:
    """Translate SQLite errors to Outlay's."""
    try:
        yield
    except driver.Error as error:
        refusal = refusal_of(error, health)
        if refusal is None:
            raise
        raise refusal from error
