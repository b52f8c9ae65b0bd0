"""Reading and writing single sign-on: providers, identities and pending sign-ins."""

import json
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, or_, select

from outlay.domain.ids import MemberId, OrganizationId
from outlay.domain.sso import SingleSignOn
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import SsoAttemptRow, SsoIdentityRow, SsoRow

MAX_ATTEMPTS: Final = 10_000
"""Most pending sign-ins."""


@dataclass(frozen=True, slots=True)
class StoredSso:
    """Single sign-on with its sealed secret, None without one."""

    sso: SingleSignOn
    sealed_secret: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoAttempt:
    """A pending sign-in at the provider."""

    organization_id: OrganizationId
    nonce: str
    verifier: str
    target: str
    """The page to open afterwards."""
    created_at_us: int


def put_sso(session: WriteSession, stored: StoredSso, created_at_us: int) -> None:
    """Set an organization's single sign-on."""
    sso = stored.sso
    session.merge(
        SsoRow(
            organization_id=sso.organization_id,
            issuer=sso.issuer,
            client_id=sso.client_id,
            sealed_secret=stored.sealed_secret,
            domains=" ".join(sso.domains),
            group_claim=sso.group_claim,
            groups=json.dumps(dict(sso.groups)),
            created_at_us=created_at_us,
        )
    )
    session.flush()


def find_sso(session: ReadSession, organization_id: OrganizationId) -> StoredSso | None:
    """An organization's single sign-on."""
    row = session.get(SsoRow, organization_id)
    return _from_row(row) if row else None


def find_sealed_sso(session: ReadSession) -> StoredSso | None:
    """Any single sign-on with a secret, to check the master key."""
    row = session.scalars(select(SsoRow).where(SsoRow.sealed_secret.is_not(None)).limit(1)).first()
    return _from_row(row) if row else None


def list_sso(session: ReadSession) -> list[SingleSignOn]:
    """The single sign-on of all organizations that use it."""
    return [_from_row(row).sso for row in session.scalars(select(SsoRow))]


def delete_sso(session: WriteSession, organization_id: OrganizationId) -> None:
    """Delete an organization's single sign-on; identities remain in case it is set up again."""
    session.execute(delete(SsoRow).where(SsoRow.organization_id == organization_id))


def find_identity(
    session: ReadSession, organization_id: OrganizationId, issuer: str, subject: str
) -> str | None:
    """The member that a provider's subject belongs to."""
    row = session.get(SsoIdentityRow, (issuer, subject, organization_id))
    return row.member_id if row else None


def put_identity(
    session: WriteSession,
    organization_id: OrganizationId,
    issuer: str,
    subject: str,
    member_id: MemberId,
    at_us: int,
) -> None:
    """Store the member that a provider's subject belongs to."""
    session.merge(
        SsoIdentityRow(
            issuer=issuer,
            subject=subject,
            organization_id=organization_id,
            member_id=member_id,
            created_at_us=at_us,
        )
    )
    session.flush()


def delete_identities(session: WriteSession, member_id: MemberId) -> None:
    """Delete the identities of a member."""
    session.execute(delete(SsoIdentityRow).where(SsoIdentityRow.member_id == member_id))


def create_attempt(
    session: WriteSession, digest: bytes, attempt: SsoAttempt, forget_before_us: int
) -> None:
    """Store a pending sign-in and delete expired ones.

    If too many are pending, the oldest are deleted, because anyone can start one.
    """
    surplus = (
        select(SsoAttemptRow.digest)
        .order_by(SsoAttemptRow.created_at_us.desc())
        .offset(MAX_ATTEMPTS - 1)
    )
    session.execute(
        delete(SsoAttemptRow).where(
            or_(
                SsoAttemptRow.created_at_us < forget_before_us,
                SsoAttemptRow.digest.in_(surplus),
            )
        )
    )
    session.add(
        SsoAttemptRow(
            digest=digest,
            organization_id=attempt.organization_id,
            nonce=attempt.nonce,
            verifier=attempt.verifier,
            target=attempt.target,
            created_at_us=attempt.created_at_us,
        )
    )
    session.flush()


def delete_attempts(session: WriteSession, organization_id: OrganizationId) -> None:
    """Delete the pending sign-ins of an organization."""
    session.execute(delete(SsoAttemptRow).where(SsoAttemptRow.organization_id == organization_id))


def take_attempt(session: WriteSession, digest: bytes) -> SsoAttempt | None:
    """Return and delete a pending sign-in, so that it is used only once."""
    row = session.get(SsoAttemptRow, digest)
    if row is None:
        return None
    session.delete(row)
    return SsoAttempt(
        organization_id=row.organization_id,
        nonce=row.nonce,
        verifier=row.verifier,
        target=row.target,
        created_at_us=row.created_at_us,
    )


def _from_row(row: SsoRow) -> StoredSso:
    sso = SingleSignOn(
        organization_id=row.organization_id,
        issuer=row.issuer,
        client_id=row.client_id,
        domains=tuple(row.domains.split()),
        group_claim=row.group_claim,
        groups=json.loads(row.groups),
    )
    return StoredSso(sso, row.sealed_secret)
