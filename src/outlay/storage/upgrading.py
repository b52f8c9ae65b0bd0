"""A copy of the database before its tables are changed for a new version.

A migration is one transaction, and undone when it fails. The copy is for the version that turns out
to be a mistake: the version before cannot read the tables that this one has changed.
"""

import logging
import shutil
from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.kit.clock import Clock
from outlay.settings import Settings
from outlay.storage.directory import sqlite as directory
from outlay.storage.folder import kept_path
from outlay.storage.health import StorageHealth
from outlay.storage.ledger.sqlite import store as ledger
from outlay.storage.sqlite import copy_database, telling

logger = logging.getLogger(__name__)

SPARE_BYTES: Final = 64 << 20
"""What is left for the migration and for whoever else writes to the disk."""


def keep_before_upgrade(settings: Settings, clock: Clock) -> None:
    """Copy the database aside when opening it will change its tables.

    Raises Unavailable when there is no room for that, unless the settings say to go on without.
    """
    path = settings.database_path
    if not path.exists():
        return
    with telling(StorageHealth()):
        if not ledger.is_older(path) and not directory.is_older(path):
            return
        if not settings.upgrade_backup:
            logger.warning("the tables of %s are changed for this version without a copy", path)
            return
        _check_room(settings)
        target = kept_path(settings, clock)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        copy_database(path, target)
    logger.warning(
        "the tables of %s are changed for this version; %s is a copy of before, which stays until "
        "you delete it",
        path,
        target,
    )


def _check_room(settings: Settings) -> None:
    path = settings.database_path
    log = path.with_name(f"{path.name}-wal")
    size = path.stat().st_size + (log.stat().st_size if log.exists() else 0)
    free = shutil.disk_usage(settings.data).free
    if free < size + SPARE_BYTES:
        raise Unavailable(
            f"the tables of {path} are to be changed for this version, and the copy that is made "
            f"before needs {(size + SPARE_BYTES) / 1e6:,.0f} MB, of which {free / 1e6:,.0f} MB are "
            "free; make room, or set OUTLAY_UPGRADE_BACKUP=off when you have a backup elsewhere",
            code=ErrorCode.BACKUP_NO_ROOM,
        )
