"""Amended requests: verification proves them; a rebuild and the loader agree on them."""

from datetime import timedelta
from pathlib import Path

from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.bootstrap.installation import open_installation
from outlay.domain.answers import Totals
from outlay.domain.discovery import NO_MERGES
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.organization import operator_of
from outlay.domain.query import UsageQuery
from outlay.domain.repricing import RepriceWanted
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.domain.verification import VerifyReport
from outlay.kit.clock import to_us
from outlay.services.bundle import Services
from outlay.services.recording.duplicates import Pair
from outlay.settings import Settings


def report(number: int, source: str = "gateway", hours: int = 0) -> UsageReport:
    return UsageReport(
        event_id=EventId(f"{source}-{number}"),
        event_time_us=to_us(NOW - timedelta(hours=hours)),
        provider="acme",
        mapping=f"acme/model-{number % 2}",
        usage=TokenUsage(1_000 + number, 100),
        source=source,
    )


def totals(services: Services, organization_id: str) -> Totals:
    """The totals of the cube for the last 30 days, loaded and folded."""
    services.projection.catch_up()
    period = services.analytics.resolve_period(
        OrganizationId(organization_id),
        timezone="UTC",
        preset=None,
        from_date=FIRST,
        to_date=NOW.date(),
    )
    return services.analytics.breakdown(
        UsageQuery(organization_id=OrganizationId(organization_id), merges=NO_MERGES, period=period)
    ).total


FIRST = (NOW - timedelta(days=20)).date()


def test_verification_covers_repricing_merging_and_voiding(tmp_path: Path) -> None:
    with open_installation(Settings(data=tmp_path / "data"), FixedClock(NOW)) as services:
        organization = services.administration.organizations.create("Acme")
        operator, key = operator_of(organization), organization.organization_id
        services.recorder.record(key, [report(n, hours=n * 7) for n in range(40)])
        services.recorder.record(key, [report(n, "otel", hours=n * 7) for n in range(0, 40, 4)])
        assert totals(services, key).unpriced_requests == 50

        services.duplicates.merge(
            operator, [Pair(EventId(f"gateway-{n}"), EventId(f"otel-{n}")) for n in range(0, 40, 8)]
        )
        price = {"model": "acme/model-0", "input": "2", "output": "0"}
        services.administration.prices.create(operator, price)
        wanted = RepriceWanted(from_date=FIRST, to_date=NOW.date(), timezone="UTC")
        begun, run = services.reprices.begin(operator, wanted, "a price")
        run.result()

        after = totals(services, key)
        merged = {*range(0, 40, 8)}
        priced = [*range(0, 40, 2)] + [n for n in range(0, 40, 4) if n not in merged]
        assert after.requests == 45
        assert after.cost_pusd == sum((1_000 + n) * 2_000_000 for n in priced)
        assert after.unpriced_requests == 45 - len(priced)
        prove(services)

        for _ in services.maintenance.rebuild():
            pass
        assert totals(services, key) == after

        _, back = services.reprices.revert(operator, begun.reprice_id, "a mistake")
        back.result()
        assert (totals(services, key).cost_pusd, totals(services, key).requests) == (0, 45)
        prove(services)


def prove(services: Services) -> None:
    """Verify; a difference fails the test."""
    *_, found = services.maintenance.verify()
    assert isinstance(found, VerifyReport)
    assert found.is_proven, found
