"""Who somebody is, and whether they may."""

import asyncio
import threading
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from outlay.domain.actor import Actor, Plan, Role, Scope
from outlay.domain.errors import NotPermitted, Unauthenticated, Unavailable
from outlay.domain.organization import Member
from outlay.kit.clock import MICROSECONDS, Clock, to_us
from outlay.kit.secrets import digest_secret, is_same_digest, new_secret
from outlay.storage.directory.access_tokens import find_access_token
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.members import find_login, find_member
from outlay.storage.directory.organizations import find_organization
from outlay.storage.directory.projects import list_projects
from outlay.storage.directory.sessions import (
    StoredSession,
    create_session,
    delete_session,
    find_session,
    touch_session,
)

SESSION_IDLE: Final = timedelta(hours=12)
SESSION_LIFETIME: Final = timedelta(days=7)
SESSION_TOUCH: Final = timedelta(minutes=5)
"""How stale the note of a session's last use may be: not every request writes."""

LOGIN_ATTEMPTS: Final = 10
LOGIN_WINDOW: Final = timedelta(minutes=15)

TOKEN_PREFIX: Final = "ota"  # noqa: S105 - a prefix, not a secret
"""Access tokens look like `ota_<id>_<secret>`."""

# The minimum of OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane. More memory
# would let a flood of sign-ins starve a machine of two cores.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODY: Final = _hasher.hash(new_secret())
"""Checked when there is no such account, so that unknown addresses take as long as known ones."""


def hash_password(password: str) -> str:
    """The Argon2id hash of a password."""
    return _hasher.hash(password)


class Access:
    """Sign-in, sessions, access tokens and what they permit."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="argon2")
        self._failures: defaultdict[str, deque[int]] = defaultdict(deque)
        self._lock = threading.Lock()

    # Signing in and out

    async def sign_in(self, email: str, password: str, remote: str) -> str:
        """A session token for the right e-mail address and password.

        Raises Unauthenticated for a wrong pair, without saying which of the two is wrong, and
        Unavailable after too many failures of the account or the address.
        """
        sources = (f"account {email.strip().lower()}", f"address {remote}")
        self._check_attempts(sources)
        loop = asyncio.get_running_loop()
        member = await loop.run_in_executor(self._executor, self._verify, email.strip(), password)
        if member is None:
            self._note_failure(sources)
            raise Unauthenticated("This e-mail address and password do not match an account.")
        return self._open_session(member)

    def _verify(self, email: str, password: str) -> Member | None:
        with self._directory.unit() as session:
            login = find_login(session, email)
        member, password_hash = login or (None, None)
        try:
            _hasher.verify(password_hash or _NOBODY, password)
        except (VerificationError, InvalidHashError):
            return None
        return member if password_hash else None

    def _check_attempts(self, sources: tuple[str, ...]) -> None:
        oldest = to_us(self._clock.now()) - LOGIN_WINDOW // timedelta(microseconds=1)
        with self._lock:
            for source in sources:
                failures = self._failures.get(source)
                while failures and failures[0] < oldest:
                    failures.popleft()
                if failures is not None and not failures:
                    del self._failures[source]
                elif failures and len(failures) >= LOGIN_ATTEMPTS:
                    raise Unavailable(
                        "Too many failed sign-ins. Try again in a quarter of an hour.",
                        code="too-many-attempts",
                    )

    def _note_failure(self, sources: tuple[str, ...]) -> None:
        now_us = to_us(self._clock.now())
        with self._lock:
            for source in sources:
                self._failures[source].append(now_us)

    def _open_session(self, member: Member) -> str:
        token = new_secret()
        now_us = to_us(self._clock.now())
        with self._directory.unit() as session:
            create_session(
                session,
                StoredSession(
                    digest=digest_secret(token),
                    member_id=member.member_id,
                    created_at_us=now_us,
                    seen_at_us=now_us,
                ),
            )
        return token

    def sign_out(self, token: str) -> None:
        """End the session of a token; unknown tokens are nothing to end."""
        with self._directory.unit() as session:
            delete_session(session, digest_secret(token))

    # From credential to actor

    def actor_of_session(self, token: str) -> Actor:
        """Who a session token belongs to; Unauthenticated when it is unknown or has run out."""
        digest = digest_secret(token)
        now_us = to_us(self._clock.now())
        with self._directory.unit() as session:
            stored = find_session(session, digest)
            if stored is None:
                raise Unauthenticated("Please sign in.")
            idle = now_us - stored.seen_at_us > SESSION_IDLE.total_seconds() * MICROSECONDS
            old = now_us - stored.created_at_us > SESSION_LIFETIME.total_seconds() * MICROSECONDS
            actor = self._actor(session, stored.member_id, frozenset(Scope))
            if idle or old or actor is None:
                delete_session(session, digest)
            elif now_us - stored.seen_at_us > SESSION_TOUCH.total_seconds() * MICROSECONDS:
                touch_session(session, digest, now_us)
        if idle or old or actor is None:
            raise Unauthenticated("Your session has ended. Please sign in again.")
        return actor

    def actor_of_token(self, token: str) -> Actor:
        """Who an access token belongs to; Unauthenticated for unknown, expired or revoked ones."""
        refused = Unauthenticated("The access token is unknown, expired or revoked.")
        prefix, _, rest = token.partition("_")
        token_id, _, secret = rest.partition("_")
        if prefix != TOKEN_PREFIX or not token_id or not secret:
            raise refused
        with self._directory.unit() as session:
            stored = find_access_token(session, token_id)
            offered = digest_secret(secret)
            is_right = is_same_digest(stored.digest if stored else bytes(len(offered)), offered)
            if stored is None or not is_right or stored.is_revoked:
                raise refused
            expires = stored.expires_at_us
            if expires is not None and expires <= to_us(self._clock.now()):
                raise refused
            actor = self._actor(session, stored.member_id, stored.scopes)
        if actor is None:
            raise refused
        return actor

    def _actor(self, session: Session, member_id: str, scopes: frozenset[Scope]) -> Actor | None:
        """The actor of a present member, None when the member has left."""
        member = find_member(session, member_id)
        if member is None or member.is_deleted:
            return None
        organization = find_organization(session, member.organization_id)
        if organization is None:
            return None
        projects = list_projects(session, member.organization_id)
        return Actor(
            organization_id=organization.organization_id,
            organization_name=organization.name,
            plan=organization.plan,
            timezone=organization.timezone,
            project_count=sum(not project.is_deleted for project in projects),
            member_id=member.member_id,
            member_name=member.name,
            email=member.email,
            role=member.role,
            scopes=scopes,
        )

    # Permission

    def permit_organization_analytics(self, actor: Actor) -> None:
        """Raise NotPermitted unless plan, role and scope allow organization-wide numbers."""
        if Scope.USAGE_READ not in actor.scopes:
            raise NotPermitted(
                "This access token may not read usage; it needs the scope usage:read.",
                code="scope-required",
            )
        if actor.plan is not Plan.ENTERPRISE:
            raise NotPermitted(
                "Organization analytics are part of the Enterprise plan.", code="plan-required"
            )
        if actor.role not in {Role.OWNER, Role.ADMIN}:
            raise NotPermitted(
                "Only owners and admins of the organization can see its analytics.",
                code="role-required",
            )

    def permit_ingest(self, actor: Actor) -> None:
        """Raise NotPermitted unless the credential may record usage."""
        if Scope.USAGE_WRITE not in actor.scopes or actor.role not in {Role.OWNER, Role.ADMIN}:
            raise NotPermitted(
                "Recording usage needs an access token with the scope usage:write, "
                "created by an owner or admin.",
                code="scope-required",
            )

    def close(self) -> None:
        """Stop the hashing thread."""
        self._executor.shutdown(wait=True)
