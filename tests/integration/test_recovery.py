"""Requests that a process left open are settled by its next start, or by other nodes if it is
gone."""

import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.clocks import FixedClock
from tests.factories import NOW, make_event

from outlay.bootstrap.installation import open_installation
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.domain.event import Status, UsageEvent, UsageSource
from outlay.domain.ids import EventId, OrganizationId
from outlay.kit.clock import to_us
from outlay.services.bundle import Services
from outlay.services.gateway import recovery as recovery_module
from outlay.settings import Settings
from outlay.storage.ledger.rescue import RescueFile
from outlay.storage.ledger.rows import Intent, from_row

BEGUN_US = to_us(NOW) - 5_000_000


def begun(user: str) -> bytes:
    """What the gateway records of a request before it calls the provider."""
    groups = ("grp_a",)
    facts = (BEGUN_US, "prj_1", "key_1", "openai", "openai/gpt-5.5", "chat", user, "app", groups)
    return msgspec.msgpack.encode((*facts, True))


def open_requests(count: int) -> list[Intent]:
    return [
        Intent(OrganizationId("org_test"), EventId(f"request-{n}"), begun(f"user-{n}"))
        for n in range(count)
    ]


def stored(services: Services) -> list[UsageEvent]:
    return [from_row(row) for batch in services.ledger.read_batches(0) for row in batch.rows]


def test_open_requests_are_recorded_after_the_next_start(tmp_path: Path, clock: FixedClock) -> None:
    settings = Settings(data=tmp_path / "data")
    with open_installation(settings, clock) as services:
        services.ledger.submit([], intents=open_requests(3)).result()
    with open_installation(settings, clock) as services:
        events = stored(services)
        assert services.ledger.intents() == []
        assert services.recovery.settle_own() == 0
    with open_installation(settings, clock) as services:
        assert stored(services) == events

    assert [event.event_id for event in events] == ["request-0", "request-1", "request-2"]
    for event in events:
        assert event.status is Status.GATEWAY_ERROR
        assert event.usage_source is UsageSource.UNKNOWN
        assert event.error_code == "gateway-interrupted"
        assert event.event_time_us == BEGUN_US
        assert (event.mapping, event.app, event.is_stream) == ("openai/gpt-5.5", "app", 1)
        assert (event.input_tokens, event.output_tokens, event.cost_pusd) == (0, 0, 0)
    assert [event.end_user for event in events] == ["user-0", "user-1", "user-2"]


def test_outcome_in_the_rescue_file_is_used(tmp_path: Path, clock: FixedClock) -> None:
    settings = Settings(data=tmp_path / "data")
    known = make_event(event_id="request-0", input_tokens=11, output_tokens=7)
    with open_installation(settings, clock) as services:
        services.ledger.submit([], intents=open_requests(2)).result()
    with closing(RescueFile(settings.rescue_path)) as rescue:
        rescue.append([known])
    with open_installation(settings, clock) as services:
        by_id = {event.event_id: event for event in stored(services)}

    assert by_id[EventId("request-0")] == known
    assert by_id[EventId("request-1")].usage_source is UsageSource.UNKNOWN
    assert len(by_id) == 2


def test_open_requests_of_other_nodes_are_polled(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a failed poll: the database may have been unreachable."""
    monkeypatch.setattr(recovery_module, "LOOK_SECONDS", 0.01)
    looks: list[int] = []

    def orphans() -> list[Intent]:
        looks.append(1)
        if len(looks) == 1:
            raise Unavailable("the database is away", code=ErrorCode.DATABASE_AWAY)
        return open_requests(2) if len(looks) == 2 else []

    monkeypatch.setattr(services.ledger, "orphans", orphans)
    services.recovery.start()
    deadline = time.monotonic() + 20
    while len(looks) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    services.recovery.stop()

    assert [event.event_id for event in stored(services)] == ["request-0", "request-1"]
