"""Reading and creating organizations."""

from sqlalchemy import select, update

from outlay.domain.actor import Plan
from outlay.domain.ids import OrganizationId
from outlay.domain.organization import Organization
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import OrganizationRow


def create_organization(
    session: WriteSession, organization: Organization, created_at_us: int
) -> None:
    """Add an organization; its name must be new."""
    session.add(
        OrganizationRow(
            organization_id=organization.organization_id,
            name=organization.name,
            plan=organization.plan.value,
            timezone=organization.timezone,
            slug=organization.slug,
            created_at_us=created_at_us,
        )
    )
    session.flush()


def update_organization(session: WriteSession, organization: Organization) -> None:
    """Replace everything but the id."""
    session.execute(
        update(OrganizationRow)
        .where(OrganizationRow.organization_id == organization.organization_id)
        .values(
            name=organization.name,
            plan=organization.plan.value,
            timezone=organization.timezone,
            slug=organization.slug,
        )
    )


def list_organizations(session: ReadSession) -> list[Organization]:
    """All organizations, oldest first."""
    rows = session.scalars(select(OrganizationRow).order_by(OrganizationRow.created_at_us))
    return [_from_row(row) for row in rows]


def find_organization(session: ReadSession, organization_id: OrganizationId) -> Organization | None:
    """An organization by id."""
    row = session.get(OrganizationRow, organization_id)
    return _from_row(row) if row else None


def _from_row(row: OrganizationRow) -> Organization:
    return Organization(
        organization_id=row.organization_id,
        name=row.name,
        plan=Plan(row.plan),
        timezone=row.timezone,
        slug=row.slug,
    )
