"""Signing in and out: passwords, one-time links, and the setup of the first owner."""

import asyncio
import logging
from dataclasses import replace
from typing import NamedTuple

from outlay.domain.actor import ALL_SCOPES, Actor, Channel, Plan, Role
from outlay.domain.audit import Action, Personal, Value
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Invalid, Unauthenticated, Unavailable
from outlay.domain.ids import MemberId, OrganizationId
from outlay.domain.organization import Invitation, Member, Organization, operator_of
from outlay.domain.policy import Permission
from outlay.kit.clock import Clock, to_us
from outlay.kit.ids import new_id
from outlay.kit.secrets import digest_secret
from outlay.services.access.accounts import account_of, place_of
from outlay.services.access.failed_sign_ins import note_failure
from outlay.services.access.passwords import Passwords, check_password
from outlay.services.access.sessions import open_session, put_password
from outlay.services.access.sign_in_throttle import Attempt, Throttle
from outlay.services.directory.actors import actor_for
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.issuing import (
    ended,
    good_invitation,
    invitation_over,
    link_over,
    member_of_link,
    void_unfounded,
)
from outlay.services.directory.members import describe_member, find_present_member
from outlay.services.directory.organizations import Organizations
from outlay.services.directory.text_rules import check_email, check_name
from outlay.storage.directory.access_tokens import revoke_tokens_of
from outlay.storage.directory.api_keys import revoke_keys_of
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.invitations import close_invitation
from outlay.storage.directory.members import create_member, find_login, find_password_hash
from outlay.storage.directory.organizations import find_organization, list_organizations
from outlay.storage.directory.sessions import delete_session, delete_sessions_of, find_session

logger = logging.getLogger(__name__)


class _Begun(NamedTuple):
    """A sign-in in progress."""

    attempt: Attempt
    member: Member | None
    password_hash: str | None


class SignIn:
    """Opens and ends browser sessions. Sessions are stored as the digest of their cookie."""

    def __init__(
        self,
        directory: Directory,
        audited: AuditedChanges,
        organizations: Organizations,
        passwords: Passwords,
        throttle: Throttle,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._audited = audited
        self._organizations = organizations
        self._passwords = passwords
        self.throttle = throttle
        self._clock = clock

    # With a password

    async def sign_in(
        self,
        email: str,
        password: str,
        remote: str,
        request_id: str,
        *,
        organization: str = "",
        device: str = "",
    ) -> str:
        """A session token for a valid e-mail address and password.

        E-mail addresses are unique within an organization only, so the organization's slug is
        needed if there are several. `device` is the browser's value from `device_of`. Raises
        Invalid without a slug, Unauthenticated for a wrong pair, without saying which part is
        wrong, and TooManyAttempts.
        """
        begun = await asyncio.to_thread(self._begin, organization, email, remote, device)
        try:
            is_right = await self._passwords.verify_async(begun.password_hash, password)
        except Unavailable:
            await asyncio.to_thread(self.throttle.withdraw, begun.attempt)
            raise
        if begun.member is None or not is_right:
            # In the background: known addresses must not take longer than unknown ones.
            asyncio.get_running_loop().run_in_executor(
                None, self._note_failure, begun, remote, request_id
            )
            raise Unauthenticated("This e-mail address and password do not match an account.")
        return await asyncio.to_thread(
            self._complete, begun.attempt, begun.member, remote, request_id
        )

    def device_of(self, email: str, *, organization: str = "") -> str:
        """A value that a browser keeps after a sign-in, which distinguishes it from others
        later.
        """
        with self._directory.read() as session:
            place = place_of(session, organization)
        return self.throttle.device_of(account_of(place, email))

    def _begin(self, slug: str, email: str, remote: str, device: str) -> _Begun:
        with self._directory.read() as session:
            place = place_of(session, slug)
            login = find_login(session, OrganizationId(place), email.strip())
        member, password_hash = login or (None, None)
        attempt = self.throttle.begin(account_of(place, email), remote, device)
        return _Begun(attempt, member, password_hash)

    def _note_failure(self, begun: _Begun, remote: str, request_id: str) -> None:
        if begun.member is None:
            return
        member_id = begun.member.member_id
        try:
            with self._directory.read() as session:
                actor = actor_for(
                    session, member_id, ALL_SCOPES, Channel.SESSION, request_id=request_id
                )
            if actor is not None:
                note_failure(self._audited, actor, begun.attempt, remote)
        except Exception:
            logger.exception("a failed sign-in of %s could not be audited", member_id)

    def _complete(self, attempt: Attempt, member: Member, remote: str, request_id: str) -> str:
        member_id = member.member_id
        with self._directory.read() as session:
            actor = actor_for(
                session, member_id, ALL_SCOPES, Channel.SESSION, request_id=request_id
            )
        if actor is None:
            raise Unauthenticated("This account was removed.")
        with self._audited.change(actor, Permission.ACCOUNT_WRITE) as change:
            find_present_member(change.session, actor, member_id)
            self.throttle.succeed(change.session, attempt)
            token = open_session(change, member_id)
            change.note(
                Action.SESSION_CREATE,
                member_id,
                after={"method": "password", "address": Personal(member_id, remote)},
            )
        return token

    def sign_out(self, token: str, request_id: str) -> None:
        """End the session of a token; unknown tokens are ignored."""
        digest = digest_secret(token)
        with self._directory.read() as session:
            stored = find_session(session, digest)
            if stored is None:
                return
            actor = actor_for(
                session, stored.member_id, ALL_SCOPES, Channel.SESSION, request_id=request_id
            )
        if actor is None:
            return
        with self._audited.change(actor, Permission.ACCOUNT_WRITE) as change:
            delete_session(change.session, digest)
            change.note(Action.SESSION_DELETE, stored.member_id, before={"sessions": 1})

    def sign_out_others(self, actor: Actor, token: str | None) -> int:
        """End all of the actor's sessions except the one of a token; returns how many."""
        with self._audited.change(actor, Permission.ACCOUNT_WRITE) as change:
            kept = digest_secret(token) if token else b""
            ended = delete_sessions_of(change.session, actor.member_id, kept)
            if ended:
                change.note(Action.SESSION_DELETE, actor.member_id, before={"sessions": ended})
            else:
                change.cancel()
        return ended

    def change_password(
        self,
        actor: Actor,
        current: str,
        password: str,
        token: str | None,
        *,
        revokes_tokens: bool = False,
        revokes_keys: bool = False,
    ) -> None:
        """Replace the actor's own password; ends password links and all other sessions.

        On request, also revokes the actor's access tokens, with everything created by them, and API
        keys.
        """
        check_password(password, field="password")
        attempt = self.throttle.begin_own(actor.member_id)
        with self._directory.read() as session:
            present = find_password_hash(session, actor.member_id)
        if not self._passwords.verify(present, current):
            raise Invalid("The current password is wrong.", field="current")
        password_hash = self._passwords.hash(password)
        with self._audited.change(actor, Permission.ACCOUNT_WRITE) as change:
            session, member_id = change.session, actor.member_id
            find_present_member(session, actor, member_id)
            put_password(change, member_id, password_hash, digest_secret(token) if token else b"")
            self.throttle.succeed(session, attempt)
            revoked: dict[str, Value] = {}
            if revokes_tokens:
                revoked |= ended(tokens=revoke_tokens_of(session, member_id, change.now_us))
                revoked |= void_unfounded(session, actor.organization_id, change.now_us)
            if revokes_keys:
                revoked |= ended(apiKeys=revoke_keys_of(session, member_id, change.now_us))
            change.note(Action.PASSWORD_UPDATE, member_id, before=revoked or None)

    # With a link

    def invitation(self, secret: str) -> tuple[Invitation, Organization]:
        """The invitation of a link; raises NotFound if it is unknown, used, void or expired."""
        now_us = to_us(self._clock.now())
        with self._directory.read() as session:
            found = good_invitation(session, secret, now_us)
            organization = find_organization(session, found.organization_id)
        if organization is None:
            raise invitation_over()
        return found, organization

    def accept(self, secret: str, name: str, password: str, request_id: str) -> str:
        """Become a member through an invitation link; returns a session token."""
        invitation, organization = self.invitation(secret)
        check_password(password)
        member = Member(
            member_id=MemberId(new_id("mem")),
            organization_id=invitation.organization_id,
            name=check_name(name),
            email=invitation.email,
            role=invitation.role,
        )
        password_hash = self._passwords.hash(password)
        actor = _first_steps(organization, member, request_id)
        with self._audited.change(actor, Permission.ACCOUNT_WRITE) as change:
            # Check again: the link may have been used, or its issuer removed, in the meantime.
            good_invitation(change.session, secret, change.now_us)
            if find_login(change.session, member.organization_id, member.email) is not None:
                raise Conflict("This e-mail address already belongs to a member. Sign in instead.")
            create_member(change.session, member, change.now_us, password_hash)
            close_invitation(change.session, invitation.invitation_id, member_id=member.member_id)
            token = open_session(change, member.member_id)
            change.note(
                Action.INVITATION_ACCEPT,
                invitation.invitation_id,
                after={"member": member.member_id, **describe_member(member)},
            )
        return token

    def member_of_link(self, secret: str) -> Member:
        """The member of a password link; raises NotFound if it is unknown, used, void or
        expired.
        """
        with self._directory.read() as session:
            return member_of_link(session, secret, to_us(self._clock.now()))

    def set_password(self, secret: str, password: str, request_id: str) -> str:
        """Set a password through a link and end all sessions; returns a new session token."""
        member = self.member_of_link(secret)
        check_password(password)
        password_hash = self._passwords.hash(password)
        with self._directory.read() as session:
            actor = actor_for(
                session, member.member_id, ALL_SCOPES, Channel.SESSION, request_id=request_id
            )
        if actor is None:
            raise link_over()
        with self._audited.change(actor, Permission.ACCOUNT_WRITE) as change:
            # Check again: the link may have been used, or its issuer removed, in the meantime.
            member_of_link(change.session, secret, change.now_us)
            put_password(change, member.member_id, password_hash)
            token = open_session(change, member.member_id)
            change.note(Action.PASSWORD_UPDATE, member.member_id)
        return token

    # The first owner

    def is_new(self) -> bool:
        """Whether there is no organization yet."""
        with self._directory.read() as session:
            return not list_organizations(session)

    def set_up(
        self,
        *,
        organization: str,
        timezone: str,
        name: str,
        email: str,
        password: str,
        request_id: str,
    ) -> str:
        """Create the first organization and its owner; returns a session token. Raises Conflict if
        there is one already."""
        check_password(password)
        drafted = self._organizations.draft(organization, plan=Plan.ENTERPRISE, timezone=timezone)
        member = Member(
            member_id=MemberId(new_id("mem")),
            organization_id=drafted.organization_id,
            name=check_name(name),
            email=check_email(email),
            role=Role.OWNER,
        )
        password_hash = self._passwords.hash(password)
        owner = _first_steps(drafted, member, request_id)
        with self._audited.change(owner, Permission.ORGANIZATION_WRITE) as change:
            if list_organizations(change.session):
                raise Conflict(
                    "Outlay is already set up. Sign in instead.", code=ErrorCode.SET_UP_ALREADY
                )
            self._organizations.add(change.session, drafted, change.now_us)
            create_member(change.session, member, change.now_us, password_hash)
            token = open_session(change, member.member_id)
            change.note(
                Action.ORGANIZATION_CREATE,
                drafted.organization_id,
                after={
                    "name": drafted.name,
                    "slug": drafted.slug,
                    "plan": drafted.plan.value,
                    "timezone": drafted.timezone,
                    "owner": Personal(member.member_id, member.email),
                },
            )
        return token

    def set_owner(self, organization: Organization, email: str, password: str) -> Member:
        """For the operator: create an owner with a password, or set a member's password."""
        check_password(password)
        address = check_email(email)
        password_hash = self._passwords.hash(password)
        with self._audited.change(operator_of(organization), Permission.MEMBERS_WRITE) as change:
            login = find_login(change.session, organization.organization_id, address)
            if login is not None:
                member = login[0]
                put_password(change, member.member_id, password_hash)
                change.note(Action.PASSWORD_UPDATE, member.member_id)
                return member
            member = Member(
                member_id=MemberId(new_id("mem")),
                organization_id=organization.organization_id,
                name=address.partition("@")[0],
                email=address,
                role=Role.OWNER,
            )
            create_member(change.session, member, change.now_us, password_hash)
            change.note(Action.MEMBER_CREATE, member.member_id, after=describe_member(member))
        return member


def _first_steps(organization: Organization, member: Member, request_id: str) -> Actor:
    """A new member as an actor."""
    return replace(
        operator_of(organization),
        member_id=member.member_id,
        member_name=member.name,
        email=member.email,
        role=member.role,
        channel=Channel.SESSION,
        request_id=request_id,
    )
