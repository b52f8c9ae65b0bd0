"""The composition root: settings, then stores, then services."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

from outlay.bootstrap.administration import administer
from outlay.bootstrap.cube import open_cube
from outlay.bootstrap.folder import hold_folder
from outlay.bootstrap.keys import open_checkpoints
from outlay.bootstrap.prices import open_prices
from outlay.domain.errors import Unavailable
from outlay.engines import open_stores
from outlay.kit.clock import Clock, SystemClock
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
from outlay.services.bundle import Services
from outlay.services.cube.maintenance import Maintenance
from outlay.services.cube.projection import Projection
from outlay.services.cube.verification import Verification
from outlay.services.directory.changes import AuditedChanges
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
from outlay.services.repricing.price_preview import PricePreviews
from outlay.services.repricing.runs import Reprices
from outlay.services.upkeep.erasure import Erasure
from outlay.services.upkeep.retention import Retention
from outlay.services.upkeep.scrubbing import Scrubbing
from outlay.settings import Settings
from outlay.storage.cube.duckdb.parquet import write_parquet
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.folder import copies_in
from outlay.storage.ledger.rescue import RescueFile
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
        cube, is_rebuilt = open_cube(stores.cubes, ledger)
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
                data_quality=DataQuality(ledger),
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
            _close_all(
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


def _close_all(*ends: Callable[[], object]) -> None:
    """Call functions one after the other, even if one of them fails."""
    for end in ends:
        try:
            end()
        except Exception as error:
            if not isinstance(error, Unavailable):
                logger.exception("the installation was not closed cleanly")
