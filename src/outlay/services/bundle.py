"""All use cases of one installation, as one value."""

from dataclasses import dataclass

from outlay.domain.actor import Actor
from outlay.domain.errors import NotFound
from outlay.domain.organization import operator_of
from outlay.kit.clock import Clock, to_us
from outlay.services.access import Access
from outlay.services.analytics import Analytics
from outlay.services.api_keys import ApiKeys
from outlay.services.attribution import Attribution
from outlay.services.audit import Audit
from outlay.services.directory_watch import DirectoryWatch
from outlay.services.discovery import DiscoveredThings
from outlay.services.doubles import Doubles
from outlay.services.doubts import Doubts
from outlay.services.erasure import Erasure, ErasureReport
from outlay.services.gateway import Gateway
from outlay.services.groups import Groups
from outlay.services.key_settings import KeySettings
from outlay.services.limit_settings import LimitSettings
from outlay.services.limits import SpendLimits
from outlay.services.maintenance import Maintenance
from outlay.services.members import Members
from outlay.services.organizations import Organizations
from outlay.services.passed_over import PassedOver
from outlay.services.price_preview import PricePreviews
from outlay.services.prices import PriceBooks, Prices
from outlay.services.projection import Projection
from outlay.services.projects import Projects
from outlay.services.reconciling import Reconciling
from outlay.services.recording import Recorder
from outlay.services.recovery import Recovery
from outlay.services.reports import Reports
from outlay.services.reprice_offers import RepriceOffers
from outlay.services.reprices import Reprices
from outlay.services.request_log import RequestLog
from outlay.services.retention import Retention
from outlay.services.routing import Router
from outlay.services.scrubbing import Scrubbing
from outlay.services.senders import Senders
from outlay.services.sign_in import SignIn
from outlay.services.sso import Sso
from outlay.services.sso_settings import SsoSettings
from outlay.services.tags import Tags
from outlay.services.tokens import Tokens
from outlay.services.tracing import Tracing
from outlay.services.trail import Trail
from outlay.services.upstreams import Upstreams
from outlay.services.usage_tables import UsageTables
from outlay.settings import Settings
from outlay.storage.directory.engine import Directory
from outlay.storage.ledger.store import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """What is set up: the directory alone, every change of it on the audit trail."""

    audit: Audit
    discovered: DiscoveredThings
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
    trail: Trail
    """What makes several changes one transaction."""
    upstreams: Upstreams


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What web and command line call."""

    settings: Settings
    clock: Clock
    directory: Directory
    ledger: Ledger
    access: Access
    administration: Administration
    api_keys: ApiKeys
    analytics: Analytics
    attribution: Attribution
    doubles: Doubles
    doubts: Doubts
    erasure: Erasure
    gateway: Gateway
    limits: SpendLimits
    price_books: PriceBooks
    maintenance: Maintenance
    passed_over: PassedOver
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
    tracing: Tracing
    usage_tables: UsageTables
    watch: DirectoryWatch

    def now_us(self) -> int:
        """The present instant in µs since the epoch."""
        return to_us(self.clock.now())


def operator_in(services: Services, organization: str | None) -> Actor:
    """The operator in the organization that is meant; NotFound when there is none."""
    found = services.administration.organizations.called(organization)
    if found is None:
        raise NotFound("There is no organization yet.")
    return operator_of(found)


def erase_member(services: Services, organization: str | None, who: str) -> ErasureReport:
    """Erase a person on behalf of the operator: a member, or who else is named somewhere."""
    operator = operator_in(services, organization)
    try:
        return services.erasure.erase(operator, who)
    except NotFound:
        return services.erasure.erase_outsider(operator, who)
