"""Prices of an organization: exact, applied only to it, from the moment they are created."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.bootstrap.administration import open_administration
from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Actor
from outlay.domain.errors import Invalid, NotFound
from outlay.domain.event import CostSource, UsageEvent
from outlay.domain.organization import operator_of
from outlay.domain.organization_price import OwnPrices
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.kit.ids import new_id
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.storage.ledger.rows import from_row

FILE = """
[[price]]
model = "openai/gpt-5.5"
input = "2"
output = "2"
"""


@pytest.fixture
def acme(services: Services) -> Actor:
    """The operator in an organization."""
    return operator_of(services.administration.organizations.create("Acme"))


def record(services: Services, actor: Actor, **changes: Any) -> UsageEvent:
    """A request of a million input and a million output tokens, as recorded."""
    values: dict[str, Any] = {
        "event_id": new_id("evt"),
        "event_time_us": to_us(NOW),
        "provider": "openai",
        "mapping": "openai/gpt-5.5",
        "usage": TokenUsage(input_tokens=1_000_000, output_tokens=1_000_000),
    }
    services.watch.check()
    services.recorder.record(actor.organization_id, [UsageReport(**{**values, **changes})])
    seq = services.ledger.last_seq
    (batch,) = services.ledger.read_batches(seq - 1)
    return from_row(batch.rows[-1])


def test_organization_price_overrides_file_and_list_until_deleted(
    tmp_path: Path, clock: FixedClock
) -> None:
    settings = Settings(data=tmp_path)
    settings.prices_path.write_text(FILE)
    with open_installation(settings, clock) as services:
        acme = operator_of(services.administration.organizations.create("Acme"))
        other = operator_of(services.administration.organizations.create("Other"))
        by_file = record(services, acme)
        price = services.administration.prices.create(
            acme, {"model": "openai/gpt-5.5", "input": "4.25", "output": "25.5"}
        )
        own = record(services, acme)
        foreign = record(services, other)
        services.administration.prices.delete(acme, price.price_id)
        after = record(services, acme)

    assert (by_file.cost_pusd, by_file.price_ref) == (4 * 10**12, "override:1")
    assert (own.cost_pusd, own.price_ref) == (29_750_000_000_000, price.price_id)
    assert own.cost_source is CostSource.OVERRIDE
    assert (foreign.cost_pusd, foreign.price_ref) == (4 * 10**12, "override:1")
    assert (after.cost_pusd, after.price_ref) == (4 * 10**12, "override:1")


def test_list_price_applies_without_an_override(services: Services, acme: Actor) -> None:
    listed = record(services, acme)
    services.administration.prices.create(acme, {"model": "gpt-4o", "input": "1"})

    assert record(services, acme).cost_pusd == listed.cost_pusd > 0
    assert record(services, acme, mapping="openai/gpt-4o").cost_pusd == 10**12


def test_dates_providers_contexts_and_tiers_select_the_price(
    services: Services, acme: Actor
) -> None:
    prices = services.administration.prices
    prices.create(acme, {"model": "gpt-5.5", "input": "1"})
    prices.create(acme, {"model": "gpt-5.5", "provider": "openai", "input": "3"})
    prices.create(
        acme,
        {
            "model": "gpt-5.5",
            "context": {"service_tier": "flex"},
            "provider": "openai",
            "input": "5",
        },
    )
    prices.create(acme, {"model": "gpt-4o", "input": "1", "effective_from": "2026-11-21"})
    prices.create(
        acme, {"model": "gpt-4.1", "input": "1", "tier": [{"above": 999_999, "input": "7"}]}
    )

    def cost(**changes: Any) -> int:
        return record(services, acme, **changes).input_cost_pusd // 10**12

    assert cost() == 3
    assert cost(provider="azure", mapping="azure/gpt-5.5") == 1
    assert cost(price_context={"service_tier": "flex"}) == 5
    assert cost(mapping="openai/gpt-4o") != 1
    assert cost(mapping="openai/gpt-4.1") == 7


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"model": "m"}, "input"),
        ({"model": "m", "input": "-1"}, "input"),
        ({"model": "m", "input": "1.0000000000001"}, "12"),
        ({"model": "m", "input": "1", "effective_from": "2026-02-30"}, "effective_from"),
        (
            {
                "model": "m",
                "input": "1",
                "effective_from": "2026-02-02",
                "effective_to": "2026-02-01",
            },
            "effective_to",
        ),
        ({"model": "m", "input": "1", "colour": "red"}, "colour"),
        ({"model": "", "input": "1"}, "model"),
    ],
)
def test_errors_are_named_and_nothing_is_stored(
    services: Services, acme: Actor, entry: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        services.administration.prices.create(acme, entry)
    assert services.administration.prices.list_for(acme) == OwnPrices([], [])


def test_overlapping_periods_are_refused(services: Services, acme: Actor) -> None:
    prices = services.administration.prices
    first = prices.create(acme, {"model": "m", "input": "1"})
    with pytest.raises(Invalid, match="Overlaps"):
        prices.create(acme, {"model": "m", "input": "2"})
    prices.delete(acme, first.price_id)
    prices.create(acme, {"model": "m", "input": "2"})


def test_prices_of_other_organizations_cannot_be_deleted(services: Services, acme: Actor) -> None:
    other = operator_of(services.administration.organizations.create("Other"))
    price = services.administration.prices.create(acme, {"model": "m", "input": "1"})

    with pytest.raises(NotFound):
        services.administration.prices.delete(other, price.price_id)
    assert len(services.administration.prices.list_for(acme).prices) == 1


def test_running_server_uses_prices_set_by_another_process(tmp_path: Path) -> None:
    settings, clock = Settings(data=tmp_path), FixedClock(NOW)
    with open_installation(settings, clock) as services:
        acme = operator_of(services.administration.organizations.create("Acme"))
        record(services, acme)
        with open_administration(settings, clock) as beside:
            beside.prices.create(acme, {"model": "gpt-5.5", "input": "1", "output": "1"})

        assert record(services, acme).cost_pusd == 2 * 10**12


rates = st.decimals(min_value=0, max_value=999, places=6, allow_nan=False)
tokens = st.integers(0, 10_000_000)


@given(rate=rates, output=rates, counts=st.tuples(tokens, tokens))
def test_every_cost_equals_tokens_times_rate(
    tmp_path_factory: pytest.TempPathFactory,
    rate: Decimal,
    output: Decimal,
    counts: tuple[int, int],
) -> None:
    services, acme = _opened(tmp_path_factory)
    price = services.administration.prices.create(
        acme, {"model": "gpt-5.5", "input": str(rate), "output": str(output)}
    )
    event = record(
        services, acme, usage=TokenUsage(input_tokens=counts[0], output_tokens=counts[1])
    )
    services.administration.prices.delete(acme, price.price_id)

    def exact(count: int, usd_per_million: Decimal) -> int:
        return int((count * usd_per_million * 10**6).to_integral_value("ROUND_HALF_EVEN"))

    assert event.input_cost_pusd == exact(counts[0], rate)
    assert event.output_cost_pusd == exact(counts[1], output)
    assert event.cost_pusd == event.input_cost_pusd + event.output_cost_pusd


_open: list[tuple[Any, Services, Actor]] = []


def _opened(factory: pytest.TempPathFactory) -> tuple[Services, Actor]:
    """One installation for all examples."""
    if not _open:
        opening = open_installation(Settings(data=factory.mktemp("prices")), FixedClock(NOW))
        services = opening.__enter__()
        organization = services.administration.organizations.create("Acme")
        _open.append((opening, services, operator_of(organization)))
    return _open[0][1], _open[0][2]


@pytest.fixture(scope="module", autouse=True)
def _close() -> Any:
    yield
    while _open:
        _open.pop()[0].__exit__(None, None, None)
