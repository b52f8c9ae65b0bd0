"""Sign-in with an organization's OpenID Connect provider: code flow with PKCE (RFC 7636)."""

import asyncio
import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from outlay.domain.actor import ALL_SCOPES, Actor, Channel, Role
from outlay.domain.audit import Action, Personal, Value
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import NotFound, Unauthenticated
from outlay.domain.ids import GroupId, MemberId, OrganizationId
from outlay.domain.organization import GroupMembership, Member, Organization, operator_of
from outlay.domain.policy import Permission
from outlay.domain.sso import SingleSignOn
from outlay.kit.clock import Clock, in_us, to_us
from outlay.kit.ids import new_id
from outlay.kit.secrets import digest_secret, new_secret
from outlay.services.access.sessions import open_session
from outlay.services.access.sso_provider import Providers
from outlay.services.directory.actors import actor_for
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.groups import GROUPS
from outlay.services.directory.members import describe_member
from outlay.services.directory.named_things import present_of
from outlay.services.directory.sso import SsoSettings
from outlay.services.directory.text_rules import MAX_NAME, check_email
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
)

CALLBACK: Final = "/login/sso/callback"
"""Prefix of the redirect paths."""
GOOGLE: Final = "https://accounts.google.com"

ATTEMPT_LIFETIME: Final = timedelta(minutes=10)


def callback_of(organization_id: OrganizationId) -> str:
    """The redirect path of an organization.

    It contains the id, because another organization may take a slug that has become free.
    """
    return f"{CALLBACK}/{organization_id}"


@dataclass(frozen=True, slots=True)
class SignInRedirect:
    """The provider URL to redirect a browser to, and the state that it must return."""

    url: str
    state: str


@dataclass(frozen=True, slots=True)
class CompletedSignIn:
    """The parameters of a returning browser."""

    state: str
    code: str
    iss: str | None
    """The issuer that redirected the browser back (RFC 9207); None if it is not given."""


class Sso:
    """Redirects browsers to identity providers and completes their sign-ins."""

    def __init__(
        self,
        directory: Directory,
        settings: SsoSettings,
        providers: Providers,
        audited: AuditedChanges,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._providers = providers
        self._audited = audited
        self._clock = clock

    def organizations(self) -> list[Organization]:
        """The organizations that use single sign-on."""
        with self._directory.read() as session:
            ids = {sso.organization_id for sso in list_sso(session)}
            return [o for o in list_organizations(session) if o.organization_id in ids]

    async def begin(self, slug: str, target: str, base_url: str) -> SignInRedirect:
        """Begin a sign-in for the organization with a slug; raises NotFound if it has no
        provider."""
        stored = await asyncio.to_thread(self._called, slug)
        organization_id = stored.sso.organization_id
        known = await self._providers.read(stored.sso.issuer)
        state, nonce, verifier = new_secret(), new_secret(), new_secret(64)
        await asyncio.to_thread(self._begin, organization_id, state, nonce, verifier, target)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        query = {
            "response_type": "code",
            "client_id": stored.sso.client_id,
            "redirect_uri": base_url + callback_of(organization_id),
            "scope": "openid email profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        endpoint = known.provider.authorization_endpoint
        return SignInRedirect(
            f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", state
        )

    async def complete(
        self,
        back: CompletedSignIn,
        *,
        organization_id: OrganizationId,
        base_url: str,
        request_id: str,
    ) -> tuple[str, str]:
        """Complete a sign-in; returns the session token and the page to open.

        `organization_id` is that of the redirect path. It must be the one for which the sign-in was
        begun, and the code must come from its issuer: otherwise another organization's provider
        could have passed on a foreign code (a mix-up, RFC 9700, section 4.4). Raises
        Unauthenticated, with the reason, unless everything is as expected.
        """
        attempt, stored = await asyncio.to_thread(self._take, back.state, organization_id)
        sso = stored.sso
        known = await self._providers.read(sso.issuer)
        _check_sender(known.provider, back.iss)
        token = await self._providers.redeem(
            known,
            sso,
            secret=self._settings.open_secret(stored),
            code=back.code,
            verifier=attempt.verifier,
            redirect_uri=base_url + callback_of(organization_id),
        )
        known = await self._providers.read_for(token, sso.issuer, known)
        identity = check_id_token(
            token,
            known.keys,
            Expected(
                issuer=sso.issuer,
                client_id=sso.client_id,
                nonce=attempt.nonce,
                now=to_us(self._clock.now()) // 1_000_000,
                group_claim=sso.group_claim,
            ),
        )
        return await asyncio.to_thread(self._admit, sso, identity, request_id), attempt.target

    def _called(self, slug: str) -> StoredSso:
        """The single sign-on of the organization with a slug."""
        with self._directory.read() as session:
            for organization in list_organizations(session):
                stored = find_sso(session, organization.organization_id)
                if organization.slug == slug.strip().lower() and stored is not None:
                    return stored
        raise NotFound("No organization with this name uses single sign-on.")

    def _begin(
        self, organization_id: OrganizationId, state: str, nonce: str, verifier: str, target: str
    ) -> None:
        now_us = to_us(self._clock.now())
        attempt = SsoAttempt(
            organization_id=organization_id,
            nonce=nonce,
            verifier=verifier,
            target=target,
            created_at_us=now_us,
        )
        with self._directory.write() as session:
            create_attempt(session, digest_secret(state), attempt, now_us - in_us(ATTEMPT_LIFETIME))

    def _take(self, state: str, organization_id: OrganizationId) -> tuple[SsoAttempt, StoredSso]:
        """The pending sign-in of a state, which can be used once, and its provider."""
        with self._directory.write() as session:
            attempt = take_attempt(session, digest_secret(state))
            stored = find_sso(session, organization_id)
        now_us = to_us(self._clock.now())
        if attempt is None or now_us - attempt.created_at_us > in_us(ATTEMPT_LIFETIME):
            raise Unauthenticated(
                "This sign-in has expired. Start again.", code=ErrorCode.SSO_REFUSED
            )
        if attempt.organization_id != organization_id or stored is None:
            raise Unauthenticated(
                "This sign-in was started for another organization. Start again.",
                code=ErrorCode.SSO_REFUSED,
            )
        return attempt, stored

    # Admission

    def _admit(self, sso: SingleSignOn, identity: Identity, request_id: str) -> str:
        """A session for the asserted identity, with synchronised groups."""
        actor = self._actor(sso, identity, request_id)
        with self._audited.change(actor, Permission.ACCOUNT_WRITE) as change:
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
        """The member of an identity: by subject, else by verified address, else a new one."""
        _check_hosted(sso, identity)
        with self._directory.read() as session:
            member_id = find_identity(session, sso.organization_id, sso.issuer, identity.subject)
            if member_id is None and identity.email:
                login = find_login(session, sso.organization_id, identity.email)
                if login is not None:
                    member_id = login[0].member_id
                elif _is_of_domains(sso, identity.email):
                    organization = find_organization(session, sso.organization_id)
                    if organization is not None:
                        return _newcomer(organization, identity, request_id)
            actor = member_id and actor_for(
                session, MemberId(member_id), ALL_SCOPES, Channel.SESSION, request_id=request_id
            )
        if not actor:
            raise Unauthenticated(
                "The identity provider recognised you, but you are not a member here. Ask an "
                "owner or admin for an invitation.",
                code=ErrorCode.SSO_UNKNOWN,
            )
        return actor


def _check_sender(provider: Provider, iss: str | None) -> None:
    """Raise Unauthenticated unless the expected provider redirected the browser back (RFC 9207)."""
    if iss != provider.issuer and (iss is not None or provider.names_itself):
        raise Unauthenticated(
            "This sign-in came from a different identity provider than the one it was started "
            "with. Start again.",
            code=ErrorCode.SSO_REFUSED,
        )


def _check_hosted(sso: SingleSignOn, identity: Identity) -> None:
    """Raise Unauthenticated for a Google account that is not managed by a listed domain.

    Anyone can create a consumer account with a company's address, and it stays verified after that
    person has left. Only the claim `hd` shows that the company manages the account.
    """
    if (
        sso.issuer == GOOGLE
        and _is_of_domains(sso, identity.email)
        and identity.hosted_domain not in sso.domains
    ):
        raise Unauthenticated(
            "This Google account is not managed by your organization. Use the account that is.",
            code=ErrorCode.SSO_UNKNOWN,
        )


def _is_of_domains(sso: SingleSignOn, email: str) -> bool:
    return email.rpartition("@")[2].lower() in sso.domains


def _newcomer(organization: Organization, identity: Identity, request_id: str) -> Actor:
    """A new developer, as an actor."""
    name = identity.name.strip()[:MAX_NAME]
    return replace(
        operator_of(organization),
        member_id=MemberId(new_id("mem")),
        member_name=name if name.isprintable() and name else identity.email.partition("@")[0],
        email=check_email(identity.email),
        role=Role.DEVELOPER,
        channel=Channel.SESSION,
        request_id=request_id,
    )


def _sync_groups(
    session: WriteSession, actor: Actor, sso: SingleSignOn, identity: Identity, now_us: int
) -> tuple[list[str], list[str]]:
    """Add a member to the groups of the claim, and remove the member from other mapped groups."""
    if identity.groups is None or not sso.groups:
        return [], []
    present = {group.group_id for group in present_of(GROUPS, session, actor)}
    wanted = {sso.groups[name] for name in identity.groups if name in sso.groups} & present
    governed = set(sso.groups.values()) & present
    current = {
        membership.group_id
        for membership in list_memberships(session, actor.organization_id)
        if membership.member_id == actor.member_id and membership.is_valid_at(now_us)
    }
    joined, left = sorted(wanted - current), sorted((current & governed) - wanted)
    for group_id in joined:
        create_membership(
            session,
            GroupMembership(
                group_id=GroupId(group_id), member_id=actor.member_id, valid_from_us=now_us
            ),
        )
    for group_id in left:
        end_membership(session, group_id, actor.member_id, now_us)
    return list(joined), list(left)
