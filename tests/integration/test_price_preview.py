"""The effect of a price change on last month: to the last pico-USD, without saving anything."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import pytest
from tests.clocks import FixedClock
from tests.factories import NOW, make_event

from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Actor, Channel, Scope
from outlay.domain.errors import Invalid, NotFound, NotPermitted
from outlay.domain.event import UsageEvent, UsageSource
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.organization import operator_of
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.services.bundle import Services
from outlay.services.repricing import price_preview
from outlay.services.repricing.price_preview import Preview, PricePreviews
from outlay.settings import Settings
from outlay.storage.ledger import reading
from outlay.storage.ledger.rows import from_row

MODEL: Final = "openai/gpt-5.5"
BERLIN: Final = "Europe/Berlin"
FIRST: Final = datetime(2026, 9, 30, 22, tzinfo=UTC)
"""October in Berlin, half-open; the clocks go back at its end."""
END: Final = datetime(2026, 10, 31, 23, tzinfo=UTC)
ENTRY: Final = {
    "model": MODEL,
    "currency": "EUR",
    "input": "2",
    "cache_read": "0.333333333333",
    "output": "8",
    "effective_from": "2026-12-01",
    "tier": [{"above": 200_000, "input": "4"}],
}
RATE: Final = 1_084_200_000_007
"""Pico-USD per unit EUR."""


@dataclass
class World:
    """An installation with a year of requests, and those of October."""

    services: Services
    actor: Actor
    october: list[UsageEvent]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    settings = Settings(data=tmp_path_factory.mktemp("preview"))
    with open_installation(settings, FixedClock(NOW)) as services:
        organizations = services.administration.organizations
        acme = organizations.create("Acme", timezone=BERLIN)
        other = organizations.create("Other")
        services.administration.prices.create_rate(
            operator_of(acme), {"currency": "EUR", "usd": "1.084200000007"}
        )
        random = Random(11)
        edges = [FIRST, FIRST - timedelta(microseconds=1), END, END - timedelta(microseconds=1)]
        times = edges + [FIRST + (END - FIRST) * random.uniform(-0.5, 1.5) for _ in range(1_500)]
        reports = [_report(number, at, random) for number, at in enumerate(times)]
        services.recorder.record(acme.organization_id, reports)
        services.recorder.record(other.organization_id, reports[:50])
        (batch, _) = services.ledger.read_batches(0)
        events = [from_row(row) for row in batch.rows]
        # One is voided, one was reported twice.
        voided, seen_twice = [event for event in events if event.mapping == MODEL][2:4]
        services.ledger.submit(
            [
                replace(voided, event_id=EventId("void"), amends=voided.event_id, amendment="void"),
                replace(
                    seen_twice,
                    event_id=EventId("w"),
                    amends=seen_twice.event_id,
                    amendment="witness",
                ),
            ]
        ).result()
        october = [
            event
            for event in events
            if to_us(FIRST) <= event.event_time_us < to_us(END) and event is not voided
        ]
        yield World(services, operator_of(acme), october)


def _report(number: int, at: datetime, random: Random) -> UsageReport:
    tokens = random.choice([1_000, 400_000])
    usage: TokenUsage | None = TokenUsage(
        random.randrange(tokens), random.randrange(tokens), random.randrange(900)
    )
    mapping = random.choice([MODEL, MODEL, "anthropic/claude-sonnet-4-5", "x/unlisted"])
    if random.random() < 0.1:  # no counts, or no counted usage
        is_known = random.random() < 0.5
        usage = TokenUsage() if is_known else None
    return UsageReport(
        event_id=EventId(f"evt_{number}"),
        event_time_us=to_us(at),
        provider=mapping.partition("/")[0],
        mapping=mapping,
        usage=usage,
        operation=random.choice(["chat", "chat", "speech"]),
        user_id=random.choice(["dana", "eli", ""]),
    )


def concerned(world: World, mapping: str) -> list[UsageEvent]:
    """The requests of October that a price of a mapping changes."""
    return [
        event
        for event in world.october
        if event.mapping == mapping
        and event.usage_source != UsageSource.UNKNOWN
        and (event.operation != "speech" or event.input_tokens + event.output_tokens)
    ]


def in_usd(amount: int) -> int:
    """Pico-EUR in pico-USD."""
    return half_even(amount * RATE, 10**12)


def half_even(number: int, divisor: int) -> int:
    quotient, rest = divmod(number, divisor)
    return quotient + (2 * rest > divisor or (2 * rest == divisor and quotient % 2 == 1))


def agreed_cost(event: UsageEvent) -> int:
    """The cost of a request with ENTRY, computed by hand."""
    read = event.cache_read_input_tokens
    input_rate = in_usd(4 * 10**12 if event.input_tokens > 200_000 else 2 * 10**12)
    return (
        half_even((event.input_tokens - read) * input_rate, 10**6)
        + half_even(read * in_usd(333_333_333_333), 10**6)
        + half_even(event.output_tokens * in_usd(8 * 10**12), 10**6)
    )


def check_agreed(preview: Preview, world: World) -> None:
    """The preview of ENTRY equals the sum over the events, one by one."""
    events = concerned(world, MODEL)
    by_user: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for event in events:
        for place, number in enumerate((1, event.cost_pusd, agreed_cost(event))):
            by_user[event.user_id][place] += number
    sums = preview.sums
    assert (preview.period.start, preview.period.end) == (FIRST, END)
    assert sums.total.requests == len(events) > 300
    assert sums.total.before_pusd == sums.recorded_pusd == sum(e.cost_pusd for e in events)
    assert sums.total.after_pusd == sum(map(agreed_cost, events))
    assert {
        user: [found.requests, found.before_pusd, found.after_pusd]
        for user, found in sums.by_user.items()
    } == by_user
    assert list(sums.by_model) == ["gpt-5.5"]
    assert sums.by_model["gpt-5.5"] == sums.total


def test_new_price_preview_covers_all_of_last_month(world: World) -> None:
    before = world.services.administration.prices.list_for(world.actor)
    check_agreed(world.services.price_previews.of_price(world.actor, ENTRY), world)
    assert world.services.administration.prices.list_for(world.actor) == before


def test_preview_is_the_same_in_another_process_and_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = world.services
    monkeypatch.setattr(price_preview, "FEW_EVENTS", 0)
    check_agreed(services.price_previews.of_price(world.actor, ENTRY), world)

    monkeypatch.setattr(reading, "READ_EVENTS", 7)
    previews = PricePreviews(
        services.ledger,
        services.directory,
        services.administration.prices,
        services.price_books.base,
        FixedClock(NOW),
    )
    check_agreed(previews.of_price(world.actor, ENTRY), world)


def test_unpriced_requests_are_counted_before_and_after(world: World) -> None:
    entry = {"model": "x/unlisted", "input": "1"}
    sums = world.services.price_previews.of_price(world.actor, entry).sums
    events = concerned(world, "x/unlisted")

    assert sums.total.requests == len(events)
    used = [event for event in events if event.input_tokens + event.output_tokens]
    assert sums.unpriced_before == len(used)
    assert sums.unpriced_after == sum(event.output_tokens > 0 for event in events)
    assert sums.total.before_pusd == 0
    assert sums.total.after_pusd == sum(event.input_tokens for event in events) * 10**6


def test_deletion_and_exchange_rate_can_be_previewed(world: World) -> None:
    services, prices = world.services, world.services.administration.prices
    always = {name: value for name, value in ENTRY.items() if name != "effective_from"}
    price = prices.create(world.actor, always)
    try:
        gone = services.price_previews.of_deletion(world.actor, price.price_id).sums.total
        dearer = services.price_previews.of_rate(
            world.actor,
            {"currency": "eur", "usd": "2.168400000014", "effective_from": "2026-12-01"},
        ).sums.total
        with pytest.raises(Invalid, match="needs this exchange rate"):
            prices.delete_rate(world.actor, prices.list_for(world.actor).rates[0].rate_id)
    finally:
        prices.delete(world.actor, price.price_id)
    agreed = sum(agreed_cost(event) for event in concerned(world, MODEL))

    assert gone.before_pusd == dearer.before_pusd == agreed
    assert gone.after_pusd == sum(event.cost_pusd for event in concerned(world, MODEL))
    assert abs(dearer.after_pusd - 2 * agreed) < dearer.requests * 4
    with pytest.raises(NotFound):
        services.price_previews.of_deletion(world.actor, price.price_id)


def test_error_is_reported_before_reading(world: World) -> None:
    with pytest.raises(Invalid) as caught:
        world.services.price_previews.of_price(world.actor, {**ENTRY, "currency": "GBP"})

    assert caught.value.field == "currency"
    assert caught.value.message.startswith("`currency`: There is no exchange rate for GBP")


def test_preview_is_aborted_after_the_time_limit(world: World) -> None:
    services = world.services
    previews = PricePreviews(
        services.ledger,
        services.directory,
        services.administration.prices,
        services.price_books.base,
        FixedClock(NOW),
        max_seconds=0,
    )
    with pytest.raises(Invalid, match="--dry-run"):
        previews.of_price(world.actor, ENTRY)


def test_preview_requires_the_usage_scope(world: World) -> None:
    actor = replace(world.actor, channel=Channel.TOKEN, scopes=frozenset({Scope.DIRECTORY_WRITE}))
    with pytest.raises(NotPermitted, match="usage:read"):
        world.services.price_previews.of_price(actor, ENTRY)


def test_simultaneous_requests_are_read_once_each(services: Services) -> None:
    events: list[Any] = [make_event(event_time_us=5) for _ in range(23)]
    services.ledger.submit(events).result()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "READ_EVENTS", 5)
        pages = [
            *services.ledger.read_costs(OrganizationId("org_test"), 5, 6, services.ledger.last_seq)
        ]

    assert [len(page) for page in pages] == [5, 5, 5, 5, 3]
    assert len({row[0] for page in pages for row in page}) == 23
    assert [*services.ledger.read_costs(OrganizationId("org_test"), 6, 7, 23)] == []
