"""All services of one installation, as one value."""

from dataclasses import dataclass

from outlay.domain.actor import Actor
from outlay.domain.errors import NotFound
from outlay.domain.organization import operator_of
from outlay.kit.clock import Clock, to_us
from outlay.kit.tracing import Tracer
from outlay.services.access.api_key_authentication import ApiKeys
from outlay.services.access.authentication import Access
from outlay.services.access.sign_in import SignIn
from outlay.services.access.sso import Sso
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.data_quality import DataQuality
from outlay.services.analytics.exports import Reports
from outlay.services.analytics.request_log import RequestLog
from outlay.services.analytics.usage_tables import UsageTables
from outlay.services.cube.maintenance import Maintenance
from outlay.services.cube.projection import Projection
from outlay.services.directory.access_tokens import Tokens
from outlay.services.directory.api_keys import KeySettings
from outlay.services.directory.audit_log import Audit
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.discovery import DiscoveredEntities
from outlay.services.directory.groups import Groups
from outlay.services.directory.members import Members
from outlay.services.directory.organizations import Organizations
from outlay.services.directory.prices import PriceBooks, Prices
from outlay.services.directory.projects import Projects
from outlay.services.directory.spend_limits import LimitSettings
from outlay.services.directory.sso import SsoSettings
from outlay.services.directory.tags import Tags
from outlay.services.directory.upstreams import Upstreams
from outlay.services.directory.watch import DirectoryWatch
from outlay.services.gateway.gateway import Gateway
from outlay.services.gateway.limit_enforcement import SpendLimits
from outlay.services.gateway.recovery import Recovery
from outlay.services.gateway.routing import Router
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
from outlay.services.upkeep.erasure import Erasure, ErasureReport
from outlay.services.upkeep.retention import Retention
from outlay.services.upkeep.scrubbing import Scrubbing
from outlay.settings import Settings
from outlay.storage.directory.engine import Directory
from outlay.storage.ledger.store import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """Administration of the directory; every change is audited."""

    audit: Audit
    discovered: DiscoveredEntities
    groups: Groups
    keys: KeySettings
    limits: LimitSettings
    members: Members
    organizations: Organizations
    prices: Prices
    projects: Projects
    sign_in: SignIn
    sso: SsoSettings
    tags: Tags
    tokens: Tokens
    audited: AuditedChanges
    """Groups several changes into one transaction."""
    upstreams: Upstreams


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services that web and CLI use."""

    settings: Settings
    clock: Clock
    directory: Directory
    ledger: Ledger
    access: Access
    administration: Administration
    api_keys: ApiKeys
    analytics: Analytics
    attribution: Attribution
    duplicates: Duplicates
    data_quality: DataQuality
    erasure: Erasure
    gateway: Gateway
    limits: SpendLimits
    price_books: PriceBooks
    maintenance: Maintenance
    skipped_telemetry: SkippedTelemetry
    price_previews: PricePreviews
    projection: Projection
    reconciling: Reconciling
    recorder: Recorder
    recovery: Recovery
    reports: Reports
    reprice_offers: RepriceOffers
    reprices: Reprices
    request_log: RequestLog
    retention: Retention
    router: Router
    scrubbing: Scrubbing
    senders: Senders
    sso: Sso
    tracer: Tracer | None
    """Traces of Outlay itself; None if they are not collected."""
    tracing: Tracing
    usage_tables: UsageTables
    watch: DirectoryWatch

    def now_us(self) -> int:
        """The current instant in µs since the epoch."""
        return to_us(self.clock.now())


def operator_in(services: Services, organization: str | None) -> Actor:
    """The operator, acting in the given organization; raises NotFound if there is none."""
    found = services.administration.organizations.find_by_name(organization)
    if found is None:
        raise NotFound("There is no organization yet.")
    return operator_of(found)


def erase_member(services: Services, organization: str | None, who: str) -> ErasureReport:
    """Erase a person on behalf of the operator: a member, or an identity that is only mentioned."""
    operator = operator_in(services, organization)
    try:
        return services.erasure.erase(operator, who)
    except NotFound:
        return services.erasure.erase_outsider(operator, who)
