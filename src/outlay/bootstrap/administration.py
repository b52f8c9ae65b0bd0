"""Services that set up an installation, with or without a running server."""

from collections.abc import Iterator
from contextlib import contextmanager

from outlay.bootstrap.folder import make_folder
from outlay.bootstrap.keys import open_checkpoints, open_sealer
from outlay.engines import open_directory
from outlay.kit.clock import Clock, SystemClock
from outlay.services.access.passwords import Passwords
from outlay.services.access.sign_in import SignIn
from outlay.services.access.sign_in_throttle import Throttle
from outlay.services.bundle import Administration
from outlay.services.directory.access_tokens import Tokens
from outlay.services.directory.api_keys import KeySettings
from outlay.services.directory.audit_log import Audit
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.discovery import DiscoveredEntities
from outlay.services.directory.groups import Groups
from outlay.services.directory.members import Members
from outlay.services.directory.organizations import Organizations
from outlay.services.directory.own_address import OwnAddress
from outlay.services.directory.prices import Prices
from outlay.services.directory.projects import Projects
from outlay.services.directory.spend_limits import LimitSettings
from outlay.services.directory.sso import SsoSettings
from outlay.services.directory.tags import Tags
from outlay.services.directory.upstreams import Upstreams
from outlay.settings import Settings
from outlay.storage.directory.engine import Directory
from outlay.storage.folder import check_complete


@contextmanager
def open_administration(settings: Settings, clock: Clock | None = None) -> Iterator[Administration]:
    """Administration alongside a running server, which notices changes within a quarter of a
    second.
    """
    clock = clock or SystemClock()
    make_folder(settings)
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
    """The services that set up organizations in a directory."""
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
