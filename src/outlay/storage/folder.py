"""The files of an installation in a data folder: the one list for start, restore and doctor.

A restored database must not be combined with files of another one: SQLite replays a write-ahead log
into any database with its name, keys open other secrets, checkpoints belong to another trail. So a
restore checks for all of these files, not only for the database.
"""

import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from outlay import __version__
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Damaged
from outlay.kit.clock import Clock
from outlay.kit.durable import PART_SUFFIX, PRIVATE, create_file, flush, sync_folder
from outlay.settings import Settings


@dataclass(frozen=True, slots=True)
class Part:
    """Files of one kind."""

    pattern: str
    is_secret: bool = False
    """Whether only the owner may read them."""


PARTS: Final = (
    Part("outlay.sqlite3", is_secret=True),
    Part("outlay.sqlite3-*", is_secret=True),  # write-ahead log, its index, rollback journal
    Part("journal*.sqlite3*", is_secret=True),
    Part("rescue*.jsonl", is_secret=True),
    Part("cube*.duckdb*", is_secret=True),
    Part("cube*.tmp", is_secret=True),
    Part("master.key*", is_secret=True),
    Part("audit.key*", is_secret=True),
    Part("audit-checkpoints.jsonl"),
    Part("prices.toml"),
    Part("price-list*"),
    Part("imports"),
    Part("node.id*"),
    Part("moved.json*"),
    Part("metrics-*.json"),
    Part("server.json*", is_secret=True),
)

_RESTORING: Final = "restoring"
"""Where a backup is restored to before it is moved into place; deleted afterwards."""

_ASIDE: Final = "replaced-"
_KEPT: Final = "backups"


def kept_path(settings: Settings, clock: Clock) -> Path:
    """The path of the copy made before an upgrade: date and version."""
    name = f"{clock.now():%Y-%m-%dT%H-%M-%S}-before-{__version__}.sqlite3"
    return settings.data / _KEPT / name


def copies_in(settings: Settings) -> list[Path]:
    """Copies of the installation that remain until an operator deletes them."""
    return sorted([*settings.data.glob(f"{_KEPT}/*"), *settings.data.glob(f"{_ASIDE}*")])


def parts_in(settings: Settings) -> list[Path]:
    """All existing files of an installation, except locks that nobody holds."""
    return [path for part in PARTS for path in sorted(settings.data.glob(part.pattern))]


def describe_parts(paths: list[Path]) -> str:
    """The names of some parts, for messages."""
    names = [path.name for path in paths]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


# Permissions


def tighten(settings: Settings) -> None:
    """Remove the permissions of others on secret files, whatever their mode was at creation."""
    for path in _exposed_parts(settings):
        with suppress(OSError):  # owned by another user: `outlay doctor` reports it
            path.chmod(PRIVATE)


def exposed(settings: Settings) -> list[Path]:
    """Secret files that other users can read."""
    folder = [settings.data] if _is_open(settings.data) else []
    return [*folder, *_exposed_parts(settings)]


def _exposed_parts(settings: Settings) -> Iterator[Path]:
    for part in PARTS:
        if part.is_secret:
            for path in settings.data.glob(part.pattern):
                if path.is_file() and _is_open(path):
                    yield path


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


# Moving old files aside, and moving a restored installation into place


def move_aside(settings: Settings, clock: Clock) -> Path | None:
    """Move all files of an installation into a dated folder next to it; returns it, None if there
    is nothing.

    The folder gets its name when the move is complete. An interrupted move continues with the same
    folder the next time.
    """
    part = _unfinished_move(settings)
    if part is None:
        if not parts_in(settings):
            return None
        part = settings.data / f"{_ASIDE}{clock.now():%Y-%m-%dT%H-%M-%S}{PART_SUFFIX}"
        part.mkdir(mode=0o700)
    for path in parts_in(settings):
        path.rename(part / path.name)
    sync_folder(part)
    aside = part.with_suffix("")
    part.rename(aside)
    sync_folder(settings.data)
    return aside


def _unfinished_move(settings: Settings) -> Path | None:
    return next(iter(sorted(settings.data.glob(f"{_ASIDE}*{PART_SUFFIX}"))), None)


def begin_restoring(settings: Settings) -> Path:
    """A new folder to restore into."""
    beside = _beside(settings)
    beside.mkdir(mode=0o700)
    return beside


def drop_restored(settings: Settings) -> None:
    """Delete the remains of an interrupted restore.

    Files of it in the data folder are copies of those still in the restore folder.
    """
    beside = _beside(settings)
    if not beside.is_dir():
        return
    if not settings.database_path.exists():
        for path in beside.iterdir():
            copy = settings.data / path.name
            for part in settings.data.glob(f"{path.name}.*{PART_SUFFIX}"):
                part.unlink()
            with suppress(FileNotFoundError):
                if copy.read_bytes() == path.read_bytes():
                    copy.unlink()
    shutil.rmtree(beside)


def finish_restoring(settings: Settings, made: Settings) -> None:
    """Move restored files into place, the database last: with it, the installation is complete.

    The other files are copied first: their originals tell `drop_restored` what to delete if this is
    interrupted.
    """
    for path in sorted(made.data.iterdir()):
        if path != made.database_path:
            create_file(settings.data / path.name, path.read_bytes())
    # Flushed by SQLite when it was closed; flushed again to be certain.
    flush(made.database_path)
    made.database_path.rename(settings.database_path)
    try:
        sync_folder(settings.data)
    except OSError:
        settings.database_path.rename(made.database_path)
        raise
    shutil.rmtree(made.data, ignore_errors=True)


def check_complete(settings: Settings) -> None:
    """Raise Conflict for the remains of an interrupted restore, which is not a complete
    installation.
    """
    if _unfinished_move(settings) is not None:
        raise Conflict(
            f"Moving the old contents of {settings.data} aside was interrupted. Run `outlay "
            "restore` with `--move-aside` again.",
            code=ErrorCode.RESTORE_INTERRUPTED,
        )
    beside = _beside(settings)
    # With the database, everything is there: the next process deletes the remains.
    if beside.is_dir() and not settings.database_url and not settings.database_path.exists():
        raise Conflict(
            f"A restore into {settings.data} was interrupted. Run `outlay restore` again, or "
            f"delete {beside} to start empty.",
            code=ErrorCode.RESTORE_INTERRUPTED,
        )


def _beside(settings: Settings) -> Path:
    return settings.data / _RESTORING


def check_database(settings: Settings) -> None:
    """Raise Damaged if the database is missing but its other files are not: a new database would
    hide the loss."""
    path = settings.database_path
    if path.exists():
        return
    logs = [path.with_name(f"{path.name}-wal"), settings.data / "audit-checkpoints.jsonl"]
    if left := [part for part in logs if part.exists() and part.stat().st_size]:
        raise Damaged(
            f"{path} is missing, but {describe_parts(left)} exists. Put the file back or "
            "restore a backup with `outlay restore FILE --move-aside`.",
            code=ErrorCode.DATABASE_GONE,
        )
