"""Exclusive use of a data folder."""

from collections.abc import Iterator
from contextlib import contextmanager

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Locked, Unavailable
from outlay.kit.lockfile import LockFile, LockHeld
from outlay.settings import Settings
from outlay.storage.folder import check_complete, drop_restored, tighten


@contextmanager
def hold_folder(settings: Settings, *, is_restoring: bool = False) -> Iterator[None]:
    """Lock a data folder, or a worker's part of it, for this process; it is created if necessary.

    Raises Locked if another process uses it, Unavailable if it is not writable, and Conflict for
    the remains of an interrupted restore, unless this is a restore.
    """
    make_folder(settings)
    try:
        lock = LockFile(settings.lock_path)
    except LockHeld as error:
        raise Locked(
            f"{settings.data} is in use by another Outlay process (pid {error.pid}). Stop that "
            "process first."
        ) from error
    except OSError as error:
        raise _unwritable(settings, error) from error
    try:
        if not is_restoring:
            check_complete(settings)
            drop_restored(settings)
        yield
    finally:
        lock.release()


def make_folder(settings: Settings) -> None:
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(settings, error) from error
    tighten(settings)


def _unwritable(settings: Settings, error: OSError) -> Unavailable:
    return Unavailable(
        f"{settings.data} is not writable: {error.strerror or error}.",
        code=ErrorCode.DATA_UNWRITABLE,
    )
