"""All use cases of one installation, as one value."""

from dataclasses import dataclass

from outlay.kit.clock import Clock
from outlay.services.access import Access
from outlay.services.accounts import Accounts
from outlay.services.analytics import Analytics
from outlay.services.api_keys import ApiKeys
from outlay.services.attribution import Attribution
from outlay.services.directory_watch import DirectoryWatch
from outlay.services.gateway import Gateway
from outlay.services.limit_settings import LimitSettings
from outlay.services.limits import SpendLimits
from outlay.services.maintenance import Maintenance
from outlay.services.projection import Projection
from outlay.services.recording import Recorder
from outlay.services.routing import Router
from outlay.services.upstreams import Upstreams
from outlay.settings import Settings
from outlay.storage.directory.engine import Directory
from outlay.storage.ledger.sqlite import SqliteLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """What sets up organizations, credentials and routes: the directory alone."""

    accounts: Accounts
    api_keys: ApiKeys
    limits: LimitSettings
    upstreams: Upstreams


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What web and command line call."""

    settings: Settings
    clock: Clock
    directory: Directory
    ledger: SqliteLedger
    access: Access
    accounts: Accounts
    api_keys: ApiKeys
    analytics: Analytics
    attribution: Attribution
    gateway: Gateway
    limits: SpendLimits
    maintenance: Maintenance
    projection: Projection
    recorder: Recorder
    router: Router
    upstreams: Upstreams
    watch: DirectoryWatch
