"""The composition root: settings → stores → services. The only place that names an engine."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from outlay.domain.errors import Locked, Unavailable
from outlay.kit.clock import Clock, SystemClock
from outlay.kit.lockfile import LockFile, LockHeld
from outlay.pricing.book import PriceBook
from outlay.services.access import Access
from outlay.services.accounts import Accounts
from outlay.services.analytics import Analytics
from outlay.services.attribution import Attribution
from outlay.services.bundle import Services
from outlay.services.maintenance import Maintenance
from outlay.services.projection import Projection, fill, remove_cube
from outlay.services.recording import Recorder
from outlay.services.verification import Verification
from outlay.settings import Settings
from outlay.storage.cube.duckdb.store import CubeMismatch, DuckDBCube
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.directory.engine import Directory
from outlay.storage.ledger.sqlite import SqliteLedger

logger = logging.getLogger(__name__)


@contextmanager
def open_installation(settings: Settings, clock: Clock | None = None) -> Iterator[Services]:
    """Everything of one data directory, opened for this process alone and closed in order.

    Raises Locked when another process has it, Unavailable when it cannot be written, Damaged when
    its truth is not intact. A cube that is missing or does not fit is rebuilt on the way.
    """
    clock = clock or SystemClock()
    lock = _lock(settings)
    try:
        prices = PriceBook.load(settings.prices_path if settings.prices_path.exists() else None)
        ledger = SqliteLedger(settings.database_path, clock)
        directory = Directory(settings.database_path)
        create_cube = partial(DuckDBCube, ledger_id=ledger.ledger_id)
        slot = CubeSlot(_open_cube(settings.cube_path, ledger, create_cube))
        projection = Projection(ledger, slot, clock)
        verification = Verification(ledger, slot, projection, clock)
        attribution = Attribution(directory)
        access = Access(directory, clock)
        try:
            yield Services(
                settings=settings,
                clock=clock,
                directory=directory,
                ledger=ledger,
                access=access,
                accounts=Accounts(directory, clock),
                analytics=Analytics(
                    ledger=ledger,
                    slot=slot,
                    directory=directory,
                    projection=projection,
                    verification=verification,
                    clock=clock,
                ),
                attribution=attribution,
                maintenance=Maintenance(projection, verification, settings.cube_path, create_cube),
                projection=projection,
                recorder=Recorder(ledger, prices, attribution, clock),
            )
        finally:
            ledger.close()
            projection.stop()
            projection.release()
            access.close()
            directory.close()
    finally:
        lock.release()


def _lock(settings: Settings) -> LockFile:
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LockFile(settings.lock_path)
    except LockHeld as error:
        raise Locked(
            f"{settings.data} is in use by another Outlay process (pid {error.pid})"
        ) from error
    except OSError as error:
        raise Unavailable(
            f"{settings.data} cannot be written: {error.strerror or error}", code="data-unwritable"
        ) from error


def _open_cube(path: Path, ledger: SqliteLedger, create_cube: "partial[DuckDBCube]") -> DuckDBCube:
    """The cube of this ledger; rebuilt when it is missing, damaged, foreign or ahead."""
    try:
        cube = create_cube(path)
        with cube.read() as reader:
            loaded = reader.loaded_seq()
        if loaded <= ledger.last_seq:
            return cube
        cube.close()
        reason = f"the cube is at event {loaded}, the ledger at {ledger.last_seq}"
    except CubeMismatch as error:
        reason = error.message
    logger.warning("%s; rebuilding it from the ledger", reason)
    remove_cube(path)
    cube = create_cube(path)
    for _ in fill(ledger, cube):
        pass
    return cube
