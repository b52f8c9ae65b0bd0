"""The composition root: settings → stores → services. The only place that names an engine."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from outlay.domain.errors import Damaged, Invalid, Locked, Unavailable
from outlay.kit.clock import Clock, SystemClock
from outlay.kit.lockfile import LockFile, LockHeld
from outlay.kit.sealing import Sealer, create_master_key, parse_master_key, read_master_key
from outlay.pricing.book import PriceBook
from outlay.services.access import Access
from outlay.services.accounts import Accounts
from outlay.services.analytics import Analytics
from outlay.services.api_keys import ApiKeys
from outlay.services.attribution import Attribution
from outlay.services.bundle import Administration, Services
from outlay.services.directory_watch import DirectoryWatch
from outlay.services.gateway import Gateway, recover
from outlay.services.journal import Journal
from outlay.services.limit_settings import LimitSettings
from outlay.services.limits import SpendLimits
from outlay.services.maintenance import Maintenance
from outlay.services.projection import Projection, fill, remove_cube
from outlay.services.recording import Recorder
from outlay.services.routing import Router
from outlay.services.upstreams import Upstreams
from outlay.services.verification import Verification
from outlay.settings import Settings
from outlay.storage.cube.duckdb.store import CubeMismatch, DuckDBCube
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.upstreams import find_sealed
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
        recorder = Recorder(ledger, prices, attribution, clock)
        recover(ledger, recorder)
        access = Access(directory, clock)
        api_keys = ApiKeys(directory, clock)
        upstreams = Upstreams(directory, open_sealer(settings, directory), clock)
        router = Router(directory, upstreams, prices)
        limits = SpendLimits(directory, ledger, slot, clock)
        gateway = Gateway(
            router=router,
            limits=limits,
            recorder=recorder,
            prices=prices,
            journal=Journal(ledger),
            clock=clock,
        )
        caches = (attribution.refresh, api_keys.refresh, router.refresh, limits.refresh)
        watch = DirectoryWatch(directory, caches)
        try:
            yield Services(
                settings=settings,
                clock=clock,
                directory=directory,
                ledger=ledger,
                access=access,
                accounts=Accounts(directory, clock),
                api_keys=api_keys,
                analytics=Analytics(
                    ledger=ledger,
                    slot=slot,
                    directory=directory,
                    projection=projection,
                    verification=verification,
                    clock=clock,
                ),
                attribution=attribution,
                gateway=gateway,
                limits=limits,
                maintenance=Maintenance(projection, verification, settings.cube_path, create_cube),
                projection=projection,
                recorder=recorder,
                router=router,
                upstreams=upstreams,
                watch=watch,
            )
        finally:
            watch.stop()
            ledger.close()
            projection.stop()
            projection.release()
            access.close()
            directory.close()
    finally:
        lock.release()


@contextmanager
def open_administration(settings: Settings, clock: Clock | None = None) -> Iterator[Administration]:
    """What can be set up beside a running server, which notices within a quarter of a second."""
    clock = clock or SystemClock()
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(settings, error) from error
    directory = Directory(settings.database_path)
    try:
        yield Administration(
            accounts=Accounts(directory, clock),
            api_keys=ApiKeys(directory, clock),
            limits=LimitSettings(directory, clock),
            upstreams=Upstreams(directory, open_sealer(settings, directory), clock),
        )
    finally:
        directory.close()


def open_sealer(settings: Settings, directory: Directory) -> Sealer:
    """What seals and opens secrets, with the master key of the settings or the data folder.

    The key is made when there is nothing yet that it would have to open. Raises Damaged when it is
    missing, Invalid when it is malformed.
    """
    try:
        if settings.master_key:
            return Sealer(parse_master_key(settings.master_key))
        key = read_master_key(settings.master_key_path)
    except ValueError as error:
        raise Invalid(f"the master key is malformed: {error}", code="master-key") from error
    if key is None:
        with directory.unit() as session:
            if find_sealed(session) is not None:
                raise Damaged(
                    f"{settings.master_key_path} is missing, and secrets are sealed with it; put "
                    "it back or set OUTLAY_MASTER_KEY",
                    code="master-key",
                )
        key = create_master_key(settings.master_key_path)
    return Sealer(key)


def _lock(settings: Settings) -> LockFile:
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LockFile(settings.lock_path)
    except LockHeld as error:
        raise Locked(
            f"{settings.data} is in use by another Outlay process (pid {error.pid})"
        ) from error
    except OSError as error:
        raise _unwritable(settings, error) from error


def _unwritable(settings: Settings, error: OSError) -> Unavailable:
    return Unavailable(
        f"{settings.data} cannot be written: {error.strerror or error}", code="data-unwritable"
    )


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
