"""The composition root: settings → stores → services."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, Invalid, Locked, Unavailable
from outlay.engines import open_directory, open_stores
from outlay.kit.clock import Clock, SystemClock
from outlay.kit.lockfile import LockFile, LockHeld
from outlay.kit.sealing import Sealer, create_key, parse_key, read_key
from outlay.pricing.book import PriceBook
from outlay.services.access.api_key_authentication import ApiKeys
from outlay.services.access.authentication import Access
from outlay.services.access.passwords import Passwords
from outlay.services.access.sign_in import SignIn
from outlay.services.access.sign_in_throttle import Throttle
from outlay.services.access.sso import Sso
from outlay.services.access.sso_provider import Providers
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.data_quality import DataQuality
from outlay.services.analytics.exports import Reports
from outlay.services.analytics.request_log import RequestLog
from outlay.services.analytics.usage_tables import UsageTables
from outlay.services.bundle import Administration, Services
from outlay.services.cube.maintenance import Maintenance
from outlay.services.cube.projection import LOAD_EVENTS, Projection, fill
from outlay.services.cube.verification import Verification
from outlay.services.directory.access_tokens import Tokens
from outlay.services.directory.api_keys import KeySettings
from outlay.services.directory.audit_log import Audit
from outlay.services.directory.changes import AuditedChanges
from outlay.services.directory.discovery import DiscoveredEntities, Discovery
from outlay.services.directory.groups import Groups
from outlay.services.directory.members import Members
from outlay.services.directory.organizations import Organizations
from outlay.services.directory.own_address import OwnAddress
from outlay.services.directory.prices import PriceBooks, Prices
from outlay.services.directory.projects import Projects
from outlay.services.directory.spend_limits import LimitSettings
from outlay.services.directory.sso import SsoSettings
from outlay.services.directory.tags import TagKeeper, Tags
from outlay.services.directory.upstreams import Upstreams
from outlay.services.directory.watch import DirectoryWatch
from outlay.services.gateway.gateway import Gateway
from outlay.services.gateway.intents import IntentLog
from outlay.services.gateway.limit_enforcement import SpendLimits
from outlay.services.gateway.recovery import Recovery
from outlay.services.gateway.routing import Router
from outlay.services.gateway.spend_counters import LocalCounters, SharedCounters, SpendCounters
from outlay.services.reconciliation.reconciliations import Reconciling
from outlay.services.recording.attribution import Attribution
from outlay.services.recording.duplicates import Duplicates
from outlay.services.recording.recorder import Recorder
from outlay.services.recording.senders import Senders
from outlay.services.recording.skipped_telemetry import SkippedTelemetry
from outlay.services.recording.span_deduplication import Tracing
from outlay.services.repricing.offers import RepriceOffers
from outlay.services.repricing.price_lists import PriceLists
from outlay.services.repricing.price_preview import PricePreviews
from outlay.services.repricing.runs import Reprices
from outlay.services.upkeep.erasure import Erasure
from outlay.services.upkeep.retention import Retention
from outlay.services.upkeep.scrubbing import Scrubbing
from outlay.settings import Settings
from outlay.storage.checkpoints import CheckpointFile
from outlay.storage.cube.duckdb.parquet import write_parquet
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.cube.store import Cube, CubeHome, CubeMismatch
from outlay.storage.cube.unreachable import UnreachableCube
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.sso import find_sealed_sso
from outlay.storage.directory.upstreams import find_sealed
from outlay.storage.folder import check_complete, copies_in, drop_restored, tighten
from outlay.storage.ledger.rescue import RescueFile
from outlay.storage.ledger.store import Ledger
from outlay.telemetry import sending_traces

logger = logging.getLogger(__name__)


@contextmanager
def open_installation(settings: Settings, clock: Clock | None = None) -> Iterator[Services]:
    """Open everything in a data directory, exclusively for this process; it is closed in order.

    Raises Locked if another process uses it, Unavailable if it is not writable, Damaged if the
    ledger or the directory is not intact. A cube that is missing or does not match is rebuilt.
    """
    clock = clock or SystemClock()
    with (
        hold_folder(settings),
        sending_traces(settings) as tracer,
        closing(RescueFile(settings.rescue_path)) as rescue,
        open_stores(settings, clock) as stores,
    ):
        lists, base = open_prices(settings)
        ledger, directory = stores.ledger, stores.directory
        ledger.tracer = tracer
        directory.open_connections()
        cube, is_rebuilt = _open_cube(stores.cubes, ledger)
        slot = CubeSlot(cube)
        projection = Projection(ledger, slot, stores.cubes, stores.nodes, clock, tracer)
        verification = Verification(ledger, slot, projection, directory, clock, stores.open_reader)
        prices = PriceBooks(directory, base, lists.find)
        attribution = Attribution(directory)
        discovery = Discovery(directory, clock)
        skipped_telemetry = SkippedTelemetry(clock)
        tags = TagKeeper(directory)
        recorder = Recorder(ledger, prices, attribution, discovery, tags, clock)
        recovery = Recovery(ledger, recorder, rescue)
        recovery.settle_own()
        access = Access(directory, clock)
        senders = Senders(access, recorder, clock)
        api_keys = ApiKeys(directory, clock, attribution.meet_key)
        passwords = Passwords()
        audited = AuditedChanges(directory, open_checkpoints(settings), clock)
        audited.sign_again()
        administration = administer(settings, directory, audited, passwords, clock)
        router = Router(directory, administration.upstreams, base)
        counters: SpendCounters = (
            SharedCounters(ledger.spending) if ledger.spending else LocalCounters(ledger, clock)
        )
        limits = SpendLimits(directory, ledger, slot, counters, clock)
        gateway = Gateway(
            router=router,
            limits=limits,
            recorder=recorder,
            prices=prices,
            intents=IntentLog(ledger, rescue),
            clock=clock,
        )
        analytics = Analytics(
            ledger=ledger,
            slot=slot,
            directory=directory,
            discovery=discovery,
            projection=projection,
            verification=verification,
            clock=clock,
        )
        maintenance = Maintenance(
            ledger,
            projection,
            verification,
            stores.nodes,
            clock,
            verify_hour=settings.verify_hour,
            is_rebuilt=is_rebuilt,
        )
        caches = (
            attribution.refresh,
            discovery.refresh,
            tags.refresh,
            router.refresh,
            limits.refresh,
            prices.refresh,
            verification.refresh,
            administration.audit.log_ends,
        )
        scrubbing = Scrubbing(ledger, directory, administration.audit, stores.nodes, clock)
        watch = DirectoryWatch(directory, caches, urgent=(api_keys.refresh, senders.refresh))
        retention = Retention(
            directory,
            audited,
            ledger,
            maintenance,
            stores.nodes,
            clock,
            end_user_days=settings.end_user_days,
        )
        reprices = Reprices(
            directory, audited, ledger, prices, clock, analytics.labels, discovery.merges
        )
        try:
            yield Services(
                settings=settings,
                clock=clock,
                directory=directory,
                ledger=ledger,
                access=access,
                administration=administration,
                api_keys=api_keys,
                analytics=analytics,
                attribution=attribution,
                gateway=gateway,
                limits=limits,
                duplicates=Duplicates(audited, ledger, clock),
                doubts=DataQuality(ledger),
                price_books=prices,
                erasure=Erasure(
                    directory, audited, ledger, maintenance, partial(copies_in, settings)
                ),
                maintenance=maintenance,
                skipped_telemetry=skipped_telemetry,
                price_previews=PricePreviews(
                    ledger, directory, administration.prices, base, clock, stores.open_reader
                ),
                projection=projection,
                reconciling=Reconciling(directory, audited, analytics, prices),
                recorder=recorder,
                recovery=recovery,
                reports=Reports(analytics, ledger, write_parquet),
                reprice_offers=RepriceOffers(analytics, ledger, prices),
                reprices=reprices,
                request_log=RequestLog(analytics, ledger),
                retention=retention,
                router=router,
                scrubbing=scrubbing,
                senders=senders,
                tracer=tracer,
                tracing=Tracing(directory, recorder, skipped_telemetry, clock),
                sso=Sso(
                    directory,
                    administration.sso,
                    Providers(settings.egress.allows),
                    audited,
                    clock,
                ),
                usage_tables=UsageTables(analytics, directory),
                watch=watch,
            )
        finally:
            _run_all(
                maintenance.refuse,
                reprices.stop,
                scrubbing.stop,
                retention.stop,
                maintenance.stop,
                recovery.stop,
                watch.stop,
                administration.audit.log_ends,
                gateway.intents.flush,
                tags.close,
                ledger.close,
                projection.stop,
                projection.release,
                passwords.close,
            )


def open_prices(settings: Settings) -> tuple[PriceLists, PriceBook]:
    """The price lists of a data folder, and a price book of the active list with the operator's
    file.

    Raises Invalid for errors in the file, Damaged if the list was changed.
    """
    lists = PriceLists(settings.data)
    lists.check()
    overrides = settings.prices_path if settings.prices_path.exists() else None
    return lists, PriceBook.load(overrides, lists)


def _run_all(*ends: Callable[[], object]) -> None:
    """Call one function after the other, even if one of them fails."""
    for end in ends:
        try:
            end()
        except Exception as error:
            if not isinstance(error, Unavailable):
                logger.exception("the installation was not closed cleanly")


@contextmanager
def open_administration(settings: Settings, clock: Clock | None = None) -> Iterator[Administration]:
    """Administration alongside a running server, which notices changes within a quarter of a
    second.
    """
    clock = clock or SystemClock()
    _make_folder(settings)
    check_complete(settings)
    with open_directory(settings) as directory:
        passwords = Passwords()
        try:
            audited = AuditedChanges(directory, open_checkpoints(settings), clock)
            yield administer(settings, directory, audited, passwords, clock)
        finally:
            passwords.close()


def administer(
    settings: Settings,
    directory: Directory,
    audited: AuditedChanges,
    passwords: Passwords,
    clock: Clock,
) -> Administration:
    """What sets up the organizations of a directory."""
    sealer = open_sealer(settings, directory)
    organizations = Organizations(directory, audited)
    return Administration(
        discovered=DiscoveredEntities(directory, audited),
        audit=Audit(
            directory, audited, settings.checkpoints_path, open_checkpoints(settings).public_key
        ),
        groups=Groups(directory, audited),
        keys=KeySettings(directory, audited),
        limits=LimitSettings(directory, audited),
        members=Members(directory, audited),
        organizations=organizations,
        prices=Prices(directory, audited),
        projects=Projects(directory, audited),
        sign_in=SignIn(
            directory, audited, organizations, passwords, Throttle(directory, sealer, clock), clock
        ),
        sso=SsoSettings(directory, sealer, audited, settings.egress),
        tags=Tags(directory, audited),
        tokens=Tokens(directory, audited),
        audited=audited,
        upstreams=Upstreams(directory, sealer, audited, settings.egress, OwnAddress(settings)),
    )


def open_checkpoints(settings: Settings) -> CheckpointFile:
    """The file of signed checkpoints, with the signing key of the settings or the data folder.

    The key is created if nothing has been signed yet. Raises Damaged if it is missing, Invalid if
    it is malformed.
    """
    path = settings.checkpoints_path
    try:
        if settings.audit_key:
            return CheckpointFile(path, parse_key(settings.audit_key))
        key = read_key(settings.audit_key_path)
    except ValueError as error:
        raise Invalid(f"The audit key is malformed: {error}.", code=ErrorCode.AUDIT_KEY) from error
    if key is None:
        if path.exists() and path.stat().st_size:
            raise Damaged(
                f"{settings.audit_key_path} is missing or empty, but the audit trail is signed "
                "with that key. Restore the file or set OUTLAY_AUDIT_KEY.",
                code=ErrorCode.AUDIT_KEY,
            )
        key = create_key(settings.audit_key_path)
    return CheckpointFile(path, key)


def open_sealer(settings: Settings, directory: Directory) -> Sealer:
    """The sealer of secrets, with the master key of the settings or the data folder.

    The key is created if nothing is sealed yet. Raises Damaged if it is missing, Invalid if it is
    malformed.
    """
    try:
        if settings.master_key:
            return Sealer(parse_key(settings.master_key))
        key = read_key(settings.master_key_path)
    except ValueError as error:
        raise Invalid(
            f"The master key is malformed: {error}.", code=ErrorCode.MASTER_KEY
        ) from error
    if key is None:
        with directory.read() as session:
            if find_sealed(session) is not None or find_sealed_sso(session) is not None:
                raise Damaged(
                    f"{settings.master_key_path} is missing or empty, but stored secrets are "
                    "sealed with that key. Restore the file or set OUTLAY_MASTER_KEY.",
                    code=ErrorCode.MASTER_KEY,
                )
        key = create_key(settings.master_key_path)
    return Sealer(key)


@contextmanager
def hold_folder(settings: Settings, *, is_restoring: bool = False) -> Iterator[None]:
    """Lock a data folder, or a worker's part of it, for this process; it is created if necessary.

    Raises Locked if another process uses it, Unavailable if it is not writable, and Conflict for
    the remains of an interrupted restore, unless this is a restore.
    """
    _make_folder(settings)
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


def _make_folder(settings: Settings) -> None:
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


def _open_cube(home: CubeHome, ledger: Ledger) -> tuple[Cube, bool]:
    """The cube of this ledger, and whether it was rebuilt because it was missing, damaged, foreign
    or ahead.

    A local cube has the complete ledger when this returns: no query is answered before.
    """
    try:
        cube = home.open(ledger.edition)
        with cube.read() as reader:
            loaded = reader.loaded_seq
        # Commits and loads of other nodes at this moment are no reason to distrust the cube.
        is_fit = home.is_shared or loaded <= ledger.newest_seq()
        if is_fit and ledger.is_source_of(cube.edition):
            if not home.is_shared:
                try:
                    _load_rest(ledger, cube, loaded)
                except Damaged as error:  # the rest stays unloaded; answers state their freshness
                    logger.warning("The cube cannot be loaded: %s", error.message)
            return cube, False
        cube.close()
        reason = f"The cube belongs to another ledger, or is ahead of it (at event {loaded})."
    except CubeMismatch as error:
        reason = error.message
    except Unavailable as error:
        if not home.is_shared:
            raise
        logger.warning("%s Serving without it until it is reachable.", error.message)
        return UnreachableCube(), False
    logger.warning("%s Rebuilding it from the ledger.", reason)
    home.clear()
    cube = home.open(ledger.edition)
    if not home.is_shared:  # otherwise the loading node does so, and answers state their freshness
        _load_rest(ledger, cube, 0)
    return cube, True


def _load_rest(ledger: Ledger, cube: Cube, loaded: int) -> None:
    missing = ledger.newest_seq() - loaded
    if missing > LOAD_EVENTS:
        logger.warning("loading %d events into the cube before queries are answered", missing)
    for _ in fill(ledger, cube, loaded):
        pass
