"""Opening SQLite so that a commit is on disk, and refusing versions that may lose data.

The driver is `pysqlite3`, which bundles its own SQLite: the system's may be one of 3.7.0 to
3.51.2, whose write-ahead log can be corrupted when it is reset (sqlite.org/wal.html,
"The WAL-reset bug"; fixed in 3.51.3 and in the patch releases named below).
"""

import logging
import time
from pathlib import Path
from typing import Any, Final

import pysqlite3 as driver

from outlay.domain.errors import Damaged

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
        code="sqlite-affected",
    )


def sqlite_version() -> str:
    """The version of the bundled SQLite."""
    return str(driver.sqlite_version)


def connect(path: Path, *, read_only: bool = False) -> Connection:
    """An autocommit connection in WAL mode with `synchronous=FULL`; foreign keys are enforced."""
    check_sqlite_version()
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
