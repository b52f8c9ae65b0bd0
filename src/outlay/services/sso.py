"""Signing in with an organization's OpenID Connect provider: code flow with PKCE (RFC 7636)."""

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from outlay.domain.actor import ALL_SCOPES, Actor, Channel, Role
from outlay.domain.audit import Action, Personal, Value
from outlay.domain.errors import NotFound, Unauthenticated, Unavailable
from outlay.domain.organization import GroupMembership, Member, Organization, operator_of
from outlay.domain.sso import SingleSignOn
from outlay.kit.clock import Clock, in_us, to_us
from outlay.kit.fetch import FetchFailed, fetch
from outlay.kit.ids import new_id
from outlay.kit.secrets import digest_secret, new_secret
from outlay.services.access import actor_for
from outlay.services.checks import MAX_NAME, check_email
from outlay.services.groups import present_groups
from outlay.services.members import describe_member
from outlay.services.sign_in import open_session
from outlay.services.sso_settings import SsoSettings, check_issuer
from outlay.services.trail import Trail
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.groups import (
    create_membership,
    end_membership,
    list_memberships,
)
from outlay.storage.directory.members import create_member, find_login, find_member
from outlay.storage.directory.organizations import find_organization, list_organizations
from outlay.storage.directory.session import WriteSession
from outlay.storage.directory.sso import (
    SsoAttempt,
    StoredSso,
    create_attempt,
    find_identity,
    find_sso,
    list_sso,
    put_identity,
    take_attempt,
)
from outlay.wire.oidc import (
    Expected,
    Identity,
    Provider,
    check_id_token,
    key_id_of,
    parse_keys,
    parse_provider,
    parse_token_answer,
)

CALLBACK: Final = "/login/sso/callback"
"""The path that a provider sends browsers back to."""

ATTEMPT_LIFETIME: Final = timedelta(minutes=10)
METADATA_SECONDS: Final = 3_600.0
KEYS_SECONDS: Final = 60.0
"""How soon the keys are read again for a token that is signed with an unknown one."""


class _Known(NamedTuple):
    """What has been read of a provider."""

    provider: Provider
    keys: list[Mapping[str, Any]]
    read_at: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a browser is sent, and what it must bring back."""

    url: str
    state: str


class Sso:
    """Sends browsers to identity providers and takes them back."""

    def __init__(
        self, directory: Directory, settings: SsoSettings, trail: Trail, clock: Clock
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._trail = trail
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def organizations(self) -> list[Organization]:
        """The organizations that have single sign-on."""
        with self._directory.read() as session:
            ids = {sso.organization_id for sso in list_sso(session)}
            return [o for o in list_organizations(session) if o.organization_id in ids]

    async def depart(self, slug: str, target: str, redirect_uri: str) -> Departure:
        """Begin a sign-in for the organization with a slug; NotFound when it has no provider."""
        organization = next((o for o in self.organizations() if o.slug == slug), None)
        if organization is None:
            raise NotFound("No organization of this name signs in with single sign-on.")
        stored = self._stored(organization.organization_id)
        known = await self._read(stored.sso)
        state, nonce, verifier = new_secret(), new_secret(), new_secret(64)
        now_us = to_us(self._clock.now())
        attempt = SsoAttempt(
            organization_id=organization.organization_id,
            nonce=nonce,
            verifier=verifier,
            target=target,
            created_at_us=now_us,
        )
        with self._directory.write() as session:
            create_attempt(session, digest_secret(state), attempt, now_us - in_us(ATTEMPT_LIFETIME))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        query = {
            "response_type": "code",
            "client_id": stored.sso.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        endpoint = known.provider.authorization_endpoint
        return Departure(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", state)

    async def arrive(
        self, *, state: str, code: str, redirect_uri: str, request_id: str
    ) -> tuple[str, str]:
        """Complete a sign-in: the session token and the page to go to.

        Raises Unauthenticated, saying why, unless everything is as it must be.
        """
        with self._directory.write() as session:
            attempt = take_attempt(session, digest_secret(state))
        now_us = to_us(self._clock.now())
        if attempt is None or now_us - attempt.created_at_us > in_us(ATTEMPT_LIFETIME):
            raise Unauthenticated("This sign-in has expired; start again.", code="sso-refused")
        stored = self._stored(attempt.organization_id)
        known = await self._read(stored.sso)
        token = await self._redeem(stored, known.provider, code, attempt.verifier, redirect_uri)
        known = await self._with_key(stored.sso, known, token)
        identity = check_id_token(
            token,
            known.keys,
            Expected(
                issuer=stored.sso.issuer,
                client_id=stored.sso.client_id,
                nonce=attempt.nonce,
                now=now_us // 1_000_000,
                group_claim=stored.sso.group_claim,
            ),
        )
        return self._admit(stored.sso, identity, request_id), attempt.target

    def _stored(self, organization_id: str) -> StoredSso:
        with self._directory.read() as session:
            stored = find_sso(session, organization_id)
        if stored is None:
            raise NotFound("No organization of this name signs in with single sign-on.")
        return stored

    # The provider

    async def _read(self, sso: SingleSignOn, max_age: float = METADATA_SECONDS) -> _Known:
        known = self._known.get(sso.issuer)
        if known is not None and time.monotonic() - known.read_at < max_age:
            return known
        metadata = await _fetch(f"{sso.issuer.rstrip('/')}/.well-known/openid-configuration")
        provider = parse_provider(metadata, sso.issuer)
        for url in (provider.authorization_endpoint, provider.token_endpoint, provider.jwks_uri):
            check_issuer(url.partition("?")[0], "provider's endpoint")
        keys = parse_keys(await _fetch(provider.jwks_uri))
        known = self._known[sso.issuer] = _Known(provider, keys, time.monotonic())
        return known

    async def _with_key(self, sso: SingleSignOn, known: _Known, token: str) -> _Known:
        """The keys, read again when the token names one that is not among them."""
        kid = key_id_of(token)
        if kid is None or any(key.get("kid") == kid for key in known.keys):
            return known
        return await self._read(sso, KEYS_SECONDS)

    async def _redeem(
        self, stored: StoredSso, provider: Provider, code: str, verifier: str, redirect_uri: str
    ) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": stored.sso.client_id,
        }
        secret = self._settings.open_secret(stored)
        basic = None
        if secret and provider.takes_basic:
            basic = (stored.sso.client_id, secret)
        elif secret:
            form["client_secret"] = secret
        return parse_token_answer(await _fetch(provider.token_endpoint, form=form, basic=basic))

    # Our side

    def _admit(self, sso: SingleSignOn, identity: Identity, request_id: str) -> str:
        """A session for whom the provider vouches for, in the groups that it says."""
        actor = self._actor(sso, identity, request_id)
        with self._trail.change(actor) as change:
            session = change.session
            described: dict[str, Value | Personal] = {"method": "sso", "issuer": sso.issuer}
            action = Action.SESSION_CREATE
            if find_member(session, actor.member_id) is None:
                member = Member(
                    member_id=actor.member_id,
                    organization_id=actor.organization_id,
                    name=actor.member_name,
                    email=actor.email,
                    role=Role.DEVELOPER,
                )
                create_member(session, member, change.now_us)
                action = Action.MEMBER_CREATE
                described |= describe_member(member)
            put_identity(
                session,
                sso.organization_id,
                sso.issuer,
                identity.subject,
                actor.member_id,
                change.now_us,
            )
            joined, left = _sync_groups(session, actor, sso, identity, change.now_us)
            if joined:
                described["joined"] = joined
            if left:
                described["left"] = left
            token = open_session(change, actor.member_id)
            change.note(action, actor.member_id, after=described)
        return token

    def _actor(self, sso: SingleSignOn, identity: Identity, request_id: str) -> Actor:
        """The member that is meant: known by subject, else by verified address, else new."""
        with self._directory.read() as session:
            member_id = find_identity(session, sso.organization_id, sso.issuer, identity.subject)
            if member_id is None and identity.email:
                login = find_login(session, identity.email)
                if login and login[0].organization_id == sso.organization_id:
                    member_id = login[0].member_id
                elif login is None and _may_join(sso, identity.email):
                    organization = find_organization(session, sso.organization_id)
                    if organization is not None:
                        return _newcomer(organization, identity, request_id)
            actor = member_id and actor_for(
                session, member_id, ALL_SCOPES, Channel.SESSION, request_id=request_id
            )
        if not actor:
            raise Unauthenticated(
                "The identity provider knows you, but you are not a member here. "
                "Ask an owner or admin for an invitation.",
                code="sso-unknown",
            )
        return actor


def _may_join(sso: SingleSignOn, email: str) -> bool:
    return email.rpartition("@")[2].lower() in sso.domains


def _newcomer(organization: Organization, identity: Identity, request_id: str) -> Actor:
    """Somebody who becomes a developer by signing in."""
    name = identity.name.strip()[:MAX_NAME]
    return replace(
        operator_of(organization),
        member_id=new_id("mem"),
        member_name=name if name.isprintable() and name else identity.email.partition("@")[0],
        email=check_email(identity.email),
        role=Role.DEVELOPER,
        channel=Channel.SESSION,
        request_id=request_id,
    )


def _sync_groups(
    session: WriteSession, actor: Actor, sso: SingleSignOn, identity: Identity, now_us: int
) -> tuple[list[str], list[str]]:
    """Put a member into the groups that the claim names, and out of the others that it could."""
    if identity.groups is None or not sso.groups:
        return [], []
    present = {group.group_id for group in present_groups(session, actor)}
    wanted = {sso.groups[name] for name in identity.groups if name in sso.groups} & present
    governed = set(sso.groups.values()) & present
    current = {
        membership.group_id
        for membership in list_memberships(session, actor.organization_id)
        if membership.member_id == actor.member_id
        and membership.valid_from_us <= now_us
        and (membership.valid_to_us is None or membership.valid_to_us > now_us)
    }
    joined, left = sorted(wanted - current), sorted((current & governed) - wanted)
    for group_id in joined:
        create_membership(
            session,
            GroupMembership(group_id=group_id, member_id=actor.member_id, valid_from_us=now_us),
        )
    for group_id in left:
        end_membership(session, group_id, actor.member_id, now_us)
    return joined, left


async def _fetch(
    url: str, *, form: Mapping[str, str] | None = None, basic: tuple[str, str] | None = None
) -> bytes:
    try:
        return await fetch(url, form=form, basic=basic)
    except FetchFailed as error:
        raise Unavailable(
            f"The identity provider could not be used: {error}", code="sso-unavailable"
        ) from error
