"""Reading and writing the price overrides of organizations."""

import json
from collections.abc import Sequence

from sqlalchemy import func, select, update

from outlay.domain.ids import OrganizationId
from outlay.domain.organization_price import OrganizationPrice
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import PriceOverrideRow


def create_price_override(
    session: WriteSession, price: OrganizationPrice, created_at_us: int
) -> None:
    """Add a price."""
    session.add(
        PriceOverrideRow(
            price_id=price.price_id,
            organization_id=price.organization_id,
            number=price.number,
            entry=json.dumps(price.entry),
            created_at_us=created_at_us,
            deleted_at_us=None,
        )
    )
    session.flush()


def next_number(session: ReadSession, organization_id: OrganizationId) -> int:
    """The number of an organization's next price: numbers are not reused."""
    found = select(func.max(PriceOverrideRow.number)).where(
        PriceOverrideRow.organization_id == organization_id
    )
    return (session.scalar(found) or 0) + 1


def delete_price_override(session: WriteSession, price_id: str, deleted_at_us: int) -> None:
    """Mark a price as deleted; events still refer to it."""
    session.execute(
        update(PriceOverrideRow)
        .where(PriceOverrideRow.price_id == price_id)
        .values(deleted_at_us=deleted_at_us)
    )


def list_price_overrides(
    session: ReadSession, organization_id: OrganizationId
) -> list[OrganizationPrice]:
    """The valid prices of an organization, oldest first."""
    rows = session.scalars(
        select(PriceOverrideRow)
        .where(
            PriceOverrideRow.organization_id == organization_id,
            PriceOverrideRow.deleted_at_us.is_(None),
        )
        .order_by(PriceOverrideRow.number)
    )
    return [*map(_price, rows)]


def find_price_overrides(
    session: ReadSession, organization_id: OrganizationId, price_ids: Sequence[str]
) -> list[OrganizationPrice]:
    """Prices of an organization with some ids, including deleted ones, oldest first."""
    rows = session.scalars(
        select(PriceOverrideRow)
        .where(
            PriceOverrideRow.organization_id == organization_id,
            PriceOverrideRow.price_id.in_(price_ids),
        )
        .order_by(PriceOverrideRow.number)
    )
    return [*map(_price, rows)]


def _price(row: PriceOverrideRow) -> OrganizationPrice:
    return OrganizationPrice(
        price_id=row.price_id,
        organization_id=row.organization_id,
        number=row.number,
        entry=json.loads(row.entry),
    )
