"""Configuration of an organization's OpenID Connect provider; `access/sso.py` uses it."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from outlay.domain.actor import Actor, Role
from outlay.domain.audit import Action, Value
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid, NotFound
from outlay.domain.ids import GroupId
from outlay.domain.policy import Permission, permit, permit_admission
from outlay.domain.sso import SingleSignOn
from outlay.kit.egress import OPEN, Egress
from outlay.kit.sealing import Sealer
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.groups import GROUPS
from outlay.services.directory.named_things import find_present
from outlay.services.directory.sealed_secrets import open_secret, seal_secret
from outlay.services.directory.text_rules import check_name
from outlay.services.directory.upstreams import check_base_url
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.sso import (
    StoredSso,
    delete_attempts,
    delete_sso,
    find_sealed_sso,
    find_sso,
    put_sso,
)

_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_QUERY: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*")
"""Characters of a query (RFC 3986, section 3.4)."""


class SsoSettings:
    """The single sign-on of an actor's organization. Its secret is write-only."""

    def __init__(
        self, directory: Directory, sealer: Sealer, audited: AuditedChanges, egress: Egress
    ) -> None:
        """Raises Damaged if the master key does not open the stored secrets."""
        self._directory = directory
        self._sealer = sealer
        self._audited = audited
        self._egress = egress
        with directory.read() as session:
            stored = find_sealed_sso(session)
        if stored is not None:
            self.open_secret(stored)

    def find(self, actor: Actor) -> SingleSignOn | None:
        """The provider, None without one."""
        permit(actor, Permission.SSO_READ)
        with self._directory.read() as session:
            stored = find_sso(session, actor.organization_id)
        return stored.sso if stored else None

    def put(
        self,
        actor: Actor,
        *,
        issuer: str,
        client_id: str,
        secret: str | None = None,
        domains: Sequence[str] = (),
        group_claim: str = "groups",
        groups: Mapping[str, str] | None = None,
    ) -> SingleSignOn:
        """Set the provider. Without a secret the stored one is kept, for the same client only.

        The provider decides who is signed in, including owners.
        """
        permit_admission(actor, Role.OWNER)
        check_issuer(issuer, egress=self._egress)
        wanted = SingleSignOn(
            organization_id=actor.organization_id,
            issuer=issuer,
            client_id=check_name(client_id, "clientId"),
            domains=tuple(_check_domain(domain) for domain in domains),
            group_claim=check_name(group_claim, "groupClaim"),
            groups={check_name(name, "groups"): group for name, group in (groups or {}).items()},
        )
        with self._audited.change(actor, Permission.SSO_WRITE) as change:
            for group_id in set(wanted.groups.values()):
                find_present(GROUPS, change.session, actor, GroupId(group_id))
            before = find_sso(change.session, actor.organization_id)
            if secret:
                sealed: bytes | None = seal_secret(self._sealer, secret, wanted.place)
            elif before and before.sso.place == wanted.place:
                sealed = before.sealed_secret
            elif before and before.sealed_secret and secret is None:
                raise Invalid(
                    "Changing the issuer or the client id requires the secret again.",
                    code=ErrorCode.SECRET_REQUIRED,
                    field="secret",
                )
            else:
                sealed = None
            put_sso(change.session, StoredSso(wanted, sealed), change.now_us)
            if before and before.sso.place != wanted.place:
                # Responses of the previous provider are not valid for the new one.
                delete_attempts(change.session, actor.organization_id)
            change.note_update(
                Action.SSO_PUT,
                actor.organization_id,
                _describe(before.sso, "kept") if before else {},
                _describe(wanted, "replaced" if secret else "kept"),
            )
        return wanted

    def delete(self, actor: Actor) -> None:
        """Delete the provider: only passwords remain for signing in; existing sessions continue."""
        with self._audited.change(actor, Permission.SSO_WRITE) as change:
            before = find_sso(change.session, actor.organization_id)
            if before is None:
                raise NotFound("Single sign-on is not configured.")
            delete_sso(change.session, actor.organization_id)
            delete_attempts(change.session, actor.organization_id)
            change.note(
                Action.SSO_DELETE, actor.organization_id, before=_describe(before.sso, "forgotten")
            )

    def open_secret(self, stored: StoredSso) -> str:
        """The client's secret for requests to the provider; empty without one."""
        return open_secret(
            self._sealer, stored.sealed_secret, stored.sso.place, "single sign-on secret"
        )


def check_issuer(url: str, field: str = "issuer", egress: Egress = OPEN) -> str:
    """`url` itself; raises Invalid unless it is https, or http on this machine, and in plain
    form."""
    try:
        check_base_url(url, egress)
    except Invalid as error:
        raise Invalid(error.message.replace("base URL", field), field=field) from error
    if not url.startswith("https://") and not _is_here(url):
        raise Invalid(f"The {field} must start with https://.", field=field)
    return url


def check_endpoint(url: str, issuer: str) -> None:
    """Raise Invalid unless a URL from an issuer's metadata can be one of its endpoints.

    It may have a query, as those of some providers do, but must be https unless the issuer is on
    this machine. Allowed addresses are checked when it is fetched.
    """
    base, _, query = url.partition("?")
    check_issuer(base, "provider's endpoint")
    if not _QUERY.fullmatch(query):
        raise Invalid(f"The provider's endpoint {url!r} has a malformed query.")
    if not url.startswith("https://") and not _is_here(issuer):
        raise Invalid(f"The provider's endpoint {url!r} must start with https://.")


def _is_here(url: str) -> bool:
    """Whether a URL names this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def _check_domain(domain: str) -> str:
    text = domain.strip().lower()
    if not _DOMAIN.fullmatch(text):
        raise Invalid(f"{domain!r} is not a mail domain such as example.com.", field="domains")
    return text


def _describe(sso: SingleSignOn, secret: str) -> dict[str, Value]:
    return {
        "issuer": sso.issuer,
        "clientId": sso.client_id,
        "secret": secret,
        "domains": list(sso.domains),
        "groupClaim": sso.group_claim,
        "groups": dict(sso.groups),
    }
