"""Reading and writing the exchange rates of organizations."""

from sqlalchemy import select, update

from outlay.domain.ids import OrganizationId
from outlay.domain.organization_price import OrganizationRate
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import ExchangeRateRow


def create_exchange_rate(session: WriteSession, rate: OrganizationRate, created_at_us: int) -> None:
    """Add a rate."""
    session.add(
        ExchangeRateRow(
            rate_id=rate.rate_id,
            organization_id=rate.organization_id,
            currency=rate.currency,
            effective_from=rate.effective_from,
            usd=rate.usd,
            created_at_us=created_at_us,
            deleted_at_us=None,
        )
    )
    session.flush()


def delete_exchange_rate(session: WriteSession, rate_id: str, deleted_at_us: int) -> None:
    """Mark a rate as deleted; events still refer to it."""
    session.execute(
        update(ExchangeRateRow)
        .where(ExchangeRateRow.rate_id == rate_id)
        .values(deleted_at_us=deleted_at_us)
    )


def list_exchange_rates(
    session: ReadSession, organization_id: OrganizationId
) -> list[OrganizationRate]:
    """The valid rates of an organization, by currency, earliest first."""
    rows = session.scalars(
        select(ExchangeRateRow).where(
            ExchangeRateRow.organization_id == organization_id,
            ExchangeRateRow.deleted_at_us.is_(None),
        )
    )
    rates = [
        OrganizationRate(
            rate_id=row.rate_id,
            organization_id=row.organization_id,
            currency=row.currency,
            effective_from=row.effective_from,
            usd=row.usd,
        )
        for row in rows
    ]
    return sorted(rates, key=lambda rate: (rate.currency, rate.effective_from or ""))
