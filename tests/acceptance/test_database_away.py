"""While PostgreSQL is unreachable: what continues, what has to wait, and when a node is ready."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.backdoor import cached_tokens
from tests.clocks import FixedClock
from tests.factories import NOW
from tests.gateway.conftest import PATIENCE, Gate, serve, set_up
from tests.postgres import Cluster, running_postgres
from tests.upstream import running_upstream

from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Scope
from outlay.domain.dimension import Dimension
from outlay.domain.event import UsageEvent
from outlay.domain.ids import MemberId
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.storage.ledger.rows import from_row

SCOPES = [Scope.USAGE_READ, Scope.USAGE_WRITE]


@pytest.fixture(scope="module")
def mortal() -> Iterator[Cluster]:
    """A PostgreSQL server that tests stop; each test starts it again."""
    with running_postgres() as running:
        yield running


@contextmanager
def away(cluster: Cluster, *gates: "Gate | Services") -> Iterator[None]:
    """The time during which a server is stopped; begins when every node has noticed it."""
    nodes = [gate.services if isinstance(gate, Gate) else gate for gate in gates]
    cluster.stop("immediate")
    try:
        wait_until(lambda: all(node.watch.is_unreachable for node in nodes))
        yield
    finally:
        cluster.start()
    wait_until(lambda: not any(node.watch.is_unreachable for node in nodes))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def node(url: str, folder: Path, clock: FixedClock) -> Iterator[tuple[Services, str]]:
    """A node on a database, with its URL."""
    settings = Settings(
        data=folder,
        database_url=url,
        proxy=PATIENCE,
        master_key="11" * 32,
        audit_key="22" * 32,
        buffer_events=100,
    )
    with open_installation(settings, clock) as services, serve(services) as address:
        yield services, address


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def url(mortal: Cluster) -> str:
    return mortal.create_database()


@pytest.fixture
def gate(url: str, tmp_path: Path, clock: FixedClock) -> Iterator[Gate]:
    """A node with an organization, a key and an upstream."""
    with (
        running_upstream() as upstream,
        node(url, tmp_path / "a", clock) as (services, address),
    ):
        opened = set_up(services, address, upstream)
        with opened.http:
            yield opened


def make_report(event_id: str, **more: Any) -> dict[str, Any]:
    return {
        "eventId": event_id,
        "eventTime": (NOW - timedelta(minutes=5)).isoformat(),
        "model": "openai/gpt-5.5",
        "usage": {"inputTokens": 1_000, "outputTokens": 100},
        **more,
    }


def send(gate: Gate, token: str, *reports: dict[str, Any], path: str = "/v1/usage/events") -> Any:
    headers = {"authorization": f"Bearer {token}"}
    return gate.http.post(gate.url + path, json=list(reports), headers=headers)


def recorded(gate: Gate) -> dict[str, UsageEvent]:
    batches = gate.services.ledger.read_batches(0)
    events = [from_row(row) for batch in batches for row in batch.rows]
    assert len({event.event_id for event in events}) == len(events)
    return {event.event_id: event for event in events}


def is_ready(gate: Gate) -> tuple[int, str]:
    answer = gate.http.get(f"{gate.url}/readyz")
    return answer.status_code, answer.text.strip()


def test_ingest_continues_with_a_cached_token_and_records_once(mortal: Cluster, gate: Gate) -> None:
    """Attributed and priced as if the database had been reachable; sending it again adds
    nothing."""
    token = gate.access_token(SCOPES)
    group = gate.administration.groups.create(gate.operator, "Research")
    since = NOW - timedelta(days=1)
    gate.administration.groups.add_member(
        gate.operator, group.group_id, MemberId(gate.member_id), since
    )
    gate.services.watch.check()
    assert send(gate, token, make_report("before")).status_code == 200
    mine = {"apiKeyId": gate.api_key.api_key_id}

    with away(mortal, gate):
        for number in range(4):
            answer = send(gate, token, make_report(f"away-{number}", **mine))
            assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
        foreign = make_report("foreign", apiKeyId="sk-of-others", projectId="Elsewhere")
        assert send(gate, token, foreign).status_code == 200
        assert gate.post().status_code in {200, 503}  # the key has not been seen before
        assert gate.services.ledger.buffered == 5
        assert is_ready(gate) == (200, "ready")
        assert send(gate, token, make_report("away-1", **mine)).status_code == 200

    wait_until(lambda: gate.services.ledger.buffered == 0)
    assert send(gate, token, make_report("away-2", **mine)).json()["duplicate"] == 1
    events = recorded(gate)
    assert set(events) == {"before", "foreign", *(f"away-{number}" for number in range(4))}
    for number in range(4):
        event = events[f"away-{number}"]
        assert event.project_id == gate.project.project_id
        assert event.member_id == event.user_id == gate.member_id
        assert event.groups == group.group_id
        assert event.cost_pusd == events["before"].cost_pusd > 0
    assert events["foreign"].api_key_id == "sk-of-others"


def test_entities_reported_during_an_outage_are_recorded_afterwards(
    mortal: Cluster, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outlay.services.directory.discovery.RETRY_SECONDS", 0.1)
    token = gate.access_token(SCOPES)
    assert send(gate, token, make_report("before")).status_code == 200
    with away(mortal, gate):
        for number in range(3):
            report = make_report(f"away-{number}", projectId=f"project-{number}")
            assert send(gate, token, report).status_code == 200
    time.sleep(0.2)
    assert send(gate, token, make_report("after")).status_code == 200

    known = gate.administration.discovered.list_for(gate.operator)
    found = {entry.value for entry in known if entry.dimension is Dimension.PROJECT}
    assert found == {f"project-{number}" for number in range(3)}


def test_attribution_is_never_guessed(mortal: Cluster, gate: Gate) -> None:
    """Unknown tokens, ids in the format of Outlay keys, and traces have to wait."""
    token = gate.access_token(SCOPES)
    unseen = gate.access_token(SCOPES)
    assert send(gate, token, make_report("before")).status_code == 200
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    with away(mortal, gate):
        refused = send(gate, unseen, make_report("unseen"))
        assert (refused.status_code, refused.json()["code"]) == (503, "database-away")
        assert refused.headers["retry-after"]
        wrong = send(gate, token[:-1] + ("0" if token[-1] != "0" else "1"), make_report("wrong"))
        assert wrong.status_code == 401
        unknown_key = make_report("unknown-key", apiKeyId="key_0123456789abcdef")
        assert send(gate, token, unknown_key).status_code == 503
        traces = gate.http.post(
            f"{gate.url}/v1/traces", content=json.dumps(span()), headers=headers
        )
        assert traces.status_code == 503
    assert set(recorded(gate)) == {"before"}


def span() -> dict[str, Any]:
    """A trace of one call."""
    at = str(int((NOW - timedelta(minutes=5)).timestamp()) * 10**9)
    attributes = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-5.5"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "10"}},
    ]
    one = {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "name": "chat",
        "startTimeUnixNano": at,
        "endTimeUnixNano": at,
        "attributes": attributes,
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]}


def test_cached_tokens_expire_and_revoked_tokens_are_not_cached(
    mortal: Cluster, gate: Gate, clock: FixedClock
) -> None:
    tokens = gate.administration.tokens
    made = {
        name: tokens.create(
            gate.operator,
            description=name,
            scopes=SCOPES,
            member_id=MemberId(gate.member_id),
            expires_at=NOW + timedelta(hours=hours),
        )
        for name, hours in (("short", 1), ("long", 9), ("revoked", 9))
    }
    for name, (_, token) in made.items():
        assert send(gate, token, make_report(name)).status_code == 200
    tokens.revoke(gate.operator, made["revoked"][0].token_id)
    wait_until(lambda: send(gate, made["revoked"][1], make_report("r")).status_code == 401)

    with away(mortal, gate):
        clock.instant = NOW + timedelta(hours=2)
        statuses = {
            name: send(gate, token, make_report(f"away-{name}")).status_code
            for name, (_, token) in made.items()
        }
    # A revoked token is as unknown as any other: only the directory can tell that it is invalid.
    assert statuses == {"short": 401, "long": 200, "revoked": 503}


def test_node_without_cached_callers_is_not_ready(
    mortal: Cluster, gate: Gate, url: str, tmp_path: Path, clock: FixedClock
) -> None:
    """A load balancer then sends requests to the nodes that know callers."""
    token = gate.access_token(SCOPES)
    assert send(gate, token, make_report("before")).status_code == 200
    with node(url, tmp_path / "b", clock) as (services, address):
        assert httpx.get(f"{address}/readyz").status_code == 200
        with away(mortal, gate, services):
            answer = httpx.get(f"{address}/readyz")
            assert answer.status_code == 503
            assert "The database is unreachable and no caller is cached." in answer.text
            assert httpx.get(f"{address}/healthz").status_code == 200
            assert is_ready(gate) == (200, "ready")
        assert httpx.get(f"{address}/readyz").status_code == 200


def test_node_with_a_full_buffer_is_not_ready(mortal: Cluster, gate: Gate) -> None:
    token = gate.access_token(SCOPES)
    assert send(gate, token, make_report("before")).status_code == 200
    with away(mortal, gate):
        reports = [make_report(f"away-{number}") for number in range(100)]
        assert send(gate, token, *reports).status_code == 200
        assert send(gate, token, make_report("too-many")).json()["code"] == "journal-full"
        status, text = is_ready(gate)
        assert (status, "local write-ahead buffer is full" in text) == (503, True)
    wait_until(lambda: gate.services.ledger.buffered == 0)
    assert is_ready(gate) == (200, "ready")
    assert len(recorded(gate)) == 101


def test_key_just_created_by_another_node_is_attributed_immediately(
    gate: Gate, url: str, tmp_path: Path, clock: FixedClock
) -> None:
    """Before this node has noticed the new key: the attribution is recorded permanently."""
    token = gate.access_token(SCOPES)
    assert send(gate, token, make_report("before")).status_code == 200
    assert gate.post().status_code == 200
    gate.services.watch.stop()
    with node(url, tmp_path / "b", clock) as (other, _):
        new, text = other.administration.keys.create(
            gate.operator,
            project_id=gate.project.project_id,
            member_id=MemberId(gate.member_id),
            description="new",
        )
    assert send(gate, token, make_report("new", apiKeyId=new.api_key_id)).status_code == 200
    answer = gate.post(authorization=f"Bearer {text}")
    assert answer.status_code == 200

    events = recorded(gate)
    for event in (events["new"], events[answer.headers["x-outlay-request-id"]]):
        assert event.api_key_id == new.api_key_id
        assert (event.member_id, event.user_id) == (gate.member_id, gate.member_id)


def test_unknown_callers_leave_nothing_in_memory(gate: Gate) -> None:
    for number in range(50):
        assert send(gate, f"ota_{number}_secret", make_report("x")).status_code == 401
    assert not gate.services.senders.knows_any()
    assert cached_tokens(gate.services.senders) == 0
