"""Opening SQLite so that a commit is on disk, and refusing versions that may lose data.

The driver is `pysqlite3`, which bundles its own SQLite: the system's may be one of 3.7.0 to
3.51.2, whose write-ahead log can be corrupted when it is reset (sqlite.org/wal.html,
"The WAL-reset bug"; fixed in 3.51.3 and in the patch releases named below).
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
"""Patch releases of older branches that carry the fix."""

BUSY_MS: Final = 10_000
"""How long a statement waits for a lock."""

TRUNCATE_WAIT_MS: Final = 20
TRUNCATE_PAUSE_SECONDS: Final = 0.05
TRUNCATE_TRIES: Final = 200


def check_sqlite_version(version: tuple[int, int, int] = driver.sqlite_version_info) -> None:
    """Raise Damaged when `version` of SQLite has the WAL-reset corruption bug."""
    if not FIRST_AFFECTED <= version < FIRST_FIXED:
        return
    for patch in FIXED_PATCHES:
        if version[:2] == patch[:2] and version >= patch:
            return
    shown = ".".join(map(str, version))
    raise Damaged(
        f"SQLite {shown} can corrupt its write-ahead log; "
        "install pysqlite3 0.6.1 or newer, which bundles a fixed version",
        code=ErrorCode.SQLITE_AFFECTED,
    )


def sqlite_version() -> str:
    """The version of the bundled SQLite."""
    return str(driver.sqlite_version)


def connect(path: Path, *, read_only: bool = False) -> Connection:
    """An autocommit connection in WAL mode with `synchronous=FULL`; foreign keys are enforced."""
    check_sqlite_version()
    if read_only and path.with_name(f"{path.name}-journal").exists():
        # Whoever made the database was killed before it had a write-ahead log: only a writer may
        # take back what was not finished.
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
    """Copy the write-ahead log back and empty it, so that nothing overwritten stays in it.

    Writers wait for milliseconds at a time: most is copied while they go on, and where a reader
    is in the way, they do not wait for it, too.
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
            "the write-ahead log could not be emptied, as somebody reads all the time; what was "
            "erased stays in it until the next checkpoint"
        )
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")


def apply_pragmas(connection: Connection) -> None:
    """The settings of every connection to the database, whoever opened it."""
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_MS}",
        "cache_size=-8192",
        "temp_store=MEMORY",
        # Whoever is erased must not stay in free space, where earlier deletions left them either.
        "secure_delete=ON",
        "journal_size_limit=67108864",
        # Copying the log back stalls the commit it falls to: seldom rather than often.
        "wal_autocheckpoint=8000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def copy_database(path: Path, target: Path) -> None:
    """Copy a database to a new file, page by page, as it is at this moment, whoever writes to it.

    On disk when this returns; nothing is left behind when it raises.
    """
    with new_path(target, is_exclusive=True) as part:
        os.close(create_private(part))
        with (
            closing(connect(path, read_only=True)) as source,
            closing(driver.connect(str(part))) as copy,
        ):
            source.backup(copy)
        flush(part)


# What becomes of errors

_DAMAGE: Final = (driver.SQLITE_CORRUPT, driver.SQLITE_NOTADB)
_IOERR_SHMSIZE: Final = driver.SQLITE_IOERR | 19 << 8
"""The driver does not name it (sqlite.org/rescode.html)."""
_CODES: Final = {_IOERR_SHMSIZE: driver.SQLITE_FULL}
"""The log's index, which is in memory, finds no room: nothing that was written is in doubt."""
_TEXTS: Final = {
    "disk I/O error": driver.SQLITE_IOERR,
    "database or disk is full": driver.SQLITE_FULL,
    "database disk image is malformed": driver.SQLITE_CORRUPT,
}
"""What an error says that carries no code, as those of the driver's own."""

_BUSY: Final = ("the database is busy; try again in a moment", ErrorCode.DATABASE_BUSY)
_UNOPENABLE: Final = (
    "the database file cannot be opened; mend its mode and owner, and those of its folder",
    ErrorCode.DATABASE_UNOPENABLE,
)
_REFUSALS: Final = {
    driver.SQLITE_FULL: (
        "the database cannot write now: the disk is full; make room and try again",
        ErrorCode.DISK_FULL,
    ),
    driver.SQLITE_READONLY: (
        "the database cannot write now: its file is read-only",
        ErrorCode.DATABASE_READ_ONLY,
    ),
    driver.SQLITE_BUSY: _BUSY,
    driver.SQLITE_LOCKED: _BUSY,
    driver.SQLITE_CANTOPEN: _UNOPENABLE,
    driver.SQLITE_PERM: _UNOPENABLE,
    driver.SQLITE_NOMEM: ("the database has no memory left", ErrorCode.OUT_OF_MEMORY),
}
"""Code of SQLite → what it means for whoever asked, and our code."""


def refusal_of(error: Exception, health: StorageHealth) -> OutlayError | None:
    """What an error of SQLite is to those who asked; None when it is a mistake of ours.

    An I/O error is told to `health`.
    """
    if not isinstance(error, driver.Error):
        return None
    extended = getattr(error, "sqlite_errorcode", None)
    code = _TEXTS.get(str(error)) if extended is None else _CODES.get(extended, extended & 0xFF)
    if code == driver.SQLITE_IOERR:
        return health.fail(str(error))
    if code in _DAMAGE:
        return Damaged(
            f"the database is damaged ({error}); restore it from a backup",
            code=ErrorCode.DATABASE_DAMAGED,
        )
    if code not in _REFUSALS:
        return None
    message, ours = _REFUSALS[code]
    return Unavailable(message, code=ours)


@contextmanager
def telling(health: StorageHealth) -> Iterator[None]:
    """Say in our own terms what the disk does not do."""
    try:
        yield
    except driver.Error as error:
        refusal = refusal_of(error, health)
        if refusal is None:
            raise
        raise refusal from error
