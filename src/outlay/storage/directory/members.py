"""Reading and writing members."""

from sqlalchemy import func, select, update

from outlay.domain.actor import Role
from outlay.domain.ids import MemberId, OrganizationId
from outlay.domain.organization import Member
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import MemberRow


def create_member(
    session: WriteSession, member: Member, created_at_us: int, password_hash: str | None = None
) -> None:
    """Add a member; the e-mail address must be new in the organization."""
    session.add(
        MemberRow(
            member_id=member.member_id,
            organization_id=member.organization_id,
            name=member.name,
            email=member.email,
            role=member.role.value,
            password_hash=password_hash,
            created_at_us=created_at_us,
            deleted_at_us=None,
        )
    )
    session.flush()


def update_member(session: WriteSession, member: Member) -> None:
    """Replace name, address and role of a member."""
    session.execute(
        update(MemberRow)
        .where(MemberRow.member_id == member.member_id)
        .values(name=member.name, email=member.email, role=member.role.value)
    )


def set_password(session: WriteSession, member_id: MemberId, password_hash: str | None) -> None:
    """Replace or remove a member's password."""
    session.execute(
        update(MemberRow)
        .where(MemberRow.member_id == member_id)
        .values(password_hash=password_hash)
    )


def delete_member(session: WriteSession, member_id: MemberId, deleted_at_us: int) -> None:
    """Mark a member as removed; the name remains for reports."""
    session.execute(
        update(MemberRow)
        .where(MemberRow.member_id == member_id)
        .values(deleted_at_us=deleted_at_us)
    )


def list_members(session: ReadSession, organization_id: OrganizationId) -> list[Member]:
    """Members of an organization, including former ones, by name."""
    rows = session.scalars(
        select(MemberRow)
        .where(MemberRow.organization_id == organization_id)
        .order_by(MemberRow.name, MemberRow.member_id)
    )
    return [_from_row(row) for row in rows]


def find_member(session: ReadSession, member_id: MemberId) -> Member | None:
    """A member by id."""
    row = session.get(MemberRow, member_id)
    return _from_row(row) if row else None


def find_login(
    session: ReadSession, organization_id: OrganizationId, email: str
) -> tuple[Member, str | None] | None:
    """An organization's current member with an e-mail address (any case), and the password hash."""
    row = session.scalars(
        select(MemberRow).where(
            MemberRow.organization_id == organization_id,
            func.lower(MemberRow.email) == email.lower(),
            MemberRow.deleted_at_us.is_(None),
        )
    ).first()
    return (_from_row(row), row.password_hash) if row else None


def find_password_hash(session: ReadSession, member_id: MemberId) -> str | None:
    """The hash of a member's password, None without one."""
    return session.scalar(select(MemberRow.password_hash).where(MemberRow.member_id == member_id))


def _from_row(row: MemberRow) -> Member:
    return Member(
        member_id=row.member_id,
        organization_id=row.organization_id,
        name=row.name,
        email=row.email,
        role=Role(row.role),
        has_password=row.password_hash is not None,
        created_at_us=row.created_at_us,
        is_deleted=row.deleted_at_us is not None,
    )
