"""The composition root: settings, then stores, then services."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import NamedTuple

from outlay.bootstrap.administration import administer
from outlay.bootstrap.cube import open_cube
from outlay.bootstrap.folder import hold_folder
from outlay.bootstrap.keys import open_checkpoints
from outlay.bootstrap.prices import open_prices
from outlay.domain.errors import Unavailable
from outlay.engines import Stores, open_stores
from outlay.kit.clock import Clock, SystemClock
from outlay.kit.tracing import Tracer
from outlay.pricing.book import PriceBook
from outlay.services.access.api_key_authentication import ApiKeys
from outlay.services.access.authentication import Access
from outlay.services.access.passwords import Passwords
from outlay.services.access.sso import Sso
from outlay.services.access.sso_provider import Providers
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.data_quality import DataQuality
from outlay.services.analytics.exports import Reports
from outlay.services.analytics.request_log import RequestLog
from outlay.services.analytics.usage_tables import UsageTables
from outlay.services.bundle import Administration, Services
from outlay.services.cube.maintenance import Maintenance
from outlay.services.cube.projection import Projection
from outlay.services.cube.verification import Verification
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.discovery import Discovery
from outlay.services.directory.prices import PriceBooks
from outlay.services.directory.tags import TagKeeper
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
from outlay.storage.cube.duckdb.parquet import write_parquet
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.directory.engine import Directory
from outlay.storage.folder import copies_in
from outlay.storage.ledger.rescue import RescueFile
from outlay.storage.ledger.store import Ledger
from outlay.telemetry import sending_traces

logger = logging.getLogger(__name__)


class _Base(NamedTuple):
    """What all services are built on."""

    settings: Settings
    clock: Clock
    stores: Stores
    rescue: RescueFile
    tracer: Tracer | None
    lists: PriceLists
    book: PriceBook
    """The prices of organizations without their own."""

    @property
    def ledger(self) -> Ledger:
        """The ledger of the stores."""
        return self.stores.ledger

    @property
    def directory(self) -> Directory:
        """The directory of the stores."""
        return self.stores.directory


class _Cube(NamedTuple):
    slot: CubeSlot
    projection: Projection
    verification: Verification
    maintenance: Maintenance


class _Recording(NamedTuple):
    prices: PriceBooks
    attribution: Attribution
    discovery: Discovery
    skipped: SkippedTelemetry
    tags: TagKeeper
    recorder: Recorder
    recovery: Recovery


class _Access(NamedTuple):
    access: Access
    senders: Senders
    api_keys: ApiKeys
    passwords: Passwords
    administration: Administration


class _GatewayParts(NamedTuple):
    router: Router
    limits: SpendLimits
    gateway: Gateway


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
        lists, book = open_prices(settings)
        base = _Base(settings, clock, stores, rescue, tracer, lists, book)
        base.ledger.tracer = tracer
        base.directory.open_connections()
        cube = _open_cube(base)
        recording = _open_recording(base)
        access = _open_access(base, recording)
        gateway = _open_gateway(base, cube, recording, access)
        services = _assemble(base, cube, recording, access, gateway)
        try:
            yield services
        finally:
            _close_all(
                services.maintenance.refuse,
                services.reprices.stop,
                services.scrubbing.stop,
                services.retention.stop,
                services.maintenance.stop,
                services.recovery.stop,
                services.watch.stop,
                services.administration.audit.log_ends,
                services.gateway.intents.flush,
                recording.tags.close,
                services.ledger.close,
                services.projection.stop,
                services.projection.release,
                access.passwords.close,
            )


def _open_cube(base: _Base) -> _Cube:
    """The cube, and what keeps it equal to the ledger."""
    settings, clock, stores, ledger = base.settings, base.clock, base.stores, base.ledger
    opened, is_rebuilt = open_cube(stores.cubes, ledger)
    slot = CubeSlot(opened)
    projection = Projection(ledger, slot, stores.cubes, stores.nodes, clock, base.tracer)
    verification = Verification(ledger, slot, projection, base.directory, clock, stores.open_reader)
    maintenance = Maintenance(
        ledger,
        projection,
        verification,
        stores.nodes,
        clock,
        verify_hour=settings.verify_hour,
        is_rebuilt=is_rebuilt,
    )
    return _Cube(slot, projection, verification, maintenance)


def _open_recording(base: _Base) -> _Recording:
    """What turns reports into events; requests that this process left behind are recorded."""
    directory, clock = base.directory, base.clock
    prices = PriceBooks(directory, base.book, base.lists.find)
    attribution = Attribution(directory)
    discovery = Discovery(directory, clock)
    tags = TagKeeper(directory)
    recorder = Recorder(base.ledger, prices, attribution, discovery, tags, clock)
    recovery = Recovery(base.ledger, recorder, base.rescue)
    recovery.settle_own()
    return _Recording(
        prices, attribution, discovery, SkippedTelemetry(clock), tags, recorder, recovery
    )


def _open_access(base: _Base, recording: _Recording) -> _Access:
    """What recognises credentials, and what administers the directory."""
    directory, clock = base.directory, base.clock
    access = Access(directory, clock)
    passwords = Passwords()
    audited = AuditedChanges(directory, open_checkpoints(base.settings), clock)
    audited.sign_again()
    return _Access(
        access,
        Senders(access, recording.recorder, clock),
        ApiKeys(directory, clock, recording.attribution.meet_key),
        passwords,
        administer(base.settings, directory, audited, passwords, clock),
    )


def _open_gateway(
    base: _Base, cube: _Cube, recording: _Recording, access: _Access
) -> _GatewayParts:
    """What admits requests and records their outcome."""
    ledger, clock = base.ledger, base.clock
    router = Router(base.directory, access.administration.upstreams, base.book)
    counters: SpendCounters = (
        SharedCounters(ledger.spending) if ledger.spending else LocalCounters(ledger, clock)
    )
    limits = SpendLimits(base.directory, ledger, cube.slot, counters, clock)
    gateway = Gateway(
        router=router,
        limits=limits,
        recorder=recording.recorder,
        prices=recording.prices,
        intents=IntentLog(ledger, base.rescue),
        clock=clock,
    )
    return _GatewayParts(router, limits, gateway)


def _watch(
    base: _Base, cube: _Cube, recording: _Recording, access: _Access, gateway: _GatewayParts
) -> DirectoryWatch:
    """What refreshes the caches after changes of the directory."""
    caches = (
        recording.attribution.refresh,
        recording.discovery.refresh,
        recording.tags.refresh,
        gateway.router.refresh,
        gateway.limits.refresh,
        recording.prices.refresh,
        cube.verification.refresh,
        access.administration.audit.log_ends,
    )
    urgent = (access.api_keys.refresh, access.senders.refresh)
    return DirectoryWatch(base.directory, caches, urgent=urgent)


def _assemble(
    base: _Base, cube: _Cube, recording: _Recording, access: _Access, gateway: _GatewayParts
) -> Services:
    """All services, with those that the others do not need."""
    clock, ledger, directory = base.clock, base.ledger, base.directory
    nodes, prices = base.stores.nodes, recording.prices
    administration, maintenance = access.administration, cube.maintenance
    audited = administration.audited
    analytics = Analytics(
        ledger=ledger,
        slot=cube.slot,
        directory=directory,
        discovery=recording.discovery,
        projection=cube.projection,
        verification=cube.verification,
        clock=clock,
    )
    return Services(
        settings=base.settings,
        clock=clock,
        directory=directory,
        ledger=ledger,
        access=access.access,
        administration=administration,
        api_keys=access.api_keys,
        analytics=analytics,
        attribution=recording.attribution,
        gateway=gateway.gateway,
        limits=gateway.limits,
        duplicates=Duplicates(audited, ledger, clock),
        data_quality=DataQuality(ledger),
        price_books=prices,
        erasure=Erasure(directory, audited, ledger, maintenance, partial(copies_in, base.settings)),
        maintenance=maintenance,
        skipped_telemetry=recording.skipped,
        price_previews=PricePreviews(
            ledger, directory, administration.prices, base.book, clock, base.stores.open_reader
        ),
        projection=cube.projection,
        reconciling=Reconciling(directory, audited, analytics, prices),
        recorder=recording.recorder,
        recovery=recording.recovery,
        reports=Reports(analytics, ledger, write_parquet),
        reprice_offers=RepriceOffers(analytics, ledger, prices),
        reprices=Reprices(
            directory, audited, ledger, prices, clock, analytics.labels, recording.discovery.merges
        ),
        request_log=RequestLog(analytics, ledger),
        retention=Retention(
            directory,
            audited,
            ledger,
            maintenance,
            nodes,
            clock,
            end_user_days=base.settings.end_user_days,
        ),
        router=gateway.router,
        scrubbing=Scrubbing(ledger, directory, administration.audit, nodes, clock),
        senders=access.senders,
        tracer=base.tracer,
        tracing=Tracing(directory, recording.recorder, recording.skipped, clock),
        sso=Sso(
            directory, administration.sso, Providers(base.settings.egress.allows), audited, clock
        ),
        usage_tables=UsageTables(analytics, directory),
        watch=_watch(base, cube, recording, access, gateway),
    )


def _close_all(*ends: Callable[[], object]) -> None:
    """Call functions one after the other, even if one of them fails."""
    for end in ends:
        try:
            end()
        except Exception as error:
            if not isinstance(error, Unavailable):
                logger.exception("the installation was not closed cleanly")
