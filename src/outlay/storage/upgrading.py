"""A copy of the database before its tables are upgraded.

A migration is one transaction, and is rolled back if it fails. The copy is for returning to the
previous version, which cannot read the upgraded tables.
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
from outlay.storage.sqlite import copy_database, translating_errors

logger = logging.getLogger(__name__)

SPARE_BYTES: Final = 64 << 20
"""Space left for the migration and for other writers."""


def keep_before_upgrade(settings: Settings, clock: Clock) -> None:
    """Copy the database if opening it will upgrade its tables.

    Raises Unavailable if there is not enough space, unless the settings disable the copy.
    """
    path = settings.database_path
    if not path.exists():
        return
    with translating_errors(StorageHealth()):
        if not ledger.is_older(path) and not directory.is_older(path):
            return
        if not settings.upgrade_backup:
            logger.warning("the tables of %s are upgraded without a copy", path)
            return
        _check_room(settings)
        target = kept_path(settings, clock)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        copy_database(path, target)
    logger.warning(
        "the tables of %s are upgraded; %s is a copy of the old state, which remains until "
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
            f"Upgrading {path} makes a backup copy first, which needs "
            f"{(size + SPARE_BYTES) / 1e6:,.0f} MB; {free / 1e6:,.0f} MB are free. Free some "
            "space, or set OUTLAY_UPGRADE_BACKUP=off if you have a backup.",
            code=ErrorCode.BACKUP_NO_ROOM,
        )
