"""Usage sent to nodes that are killed, on a PostgreSQL that crashes and restarts."""

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from tests.fault.test_gateway_kill import stored
from tests.fault.test_ingest_kill import Sender, make_event
from tests.postgres import Cluster, running_postgres
from tests.program import children_of, command, kill_group, start, wait_for_server

from outlay.bootstrap.administration import open_administration
from outlay.bootstrap.installation import open_installation
from outlay.domain.organization import operator_of
from outlay.settings import read_settings

WORKERS = 2
CONNECTIONS = 6
BATCH = 20
BATCHES = 250
"""Number of batches between two crashes."""


@pytest.fixture
def own_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A server that flushes to disk, and programs configured for its database."""
    with running_postgres("") as running:
        monkeypatch.setenv("OUTLAY_DATABASE_URL", running.create_database())
        yield running


@pytest.mark.parametrize(
    "rounds", [2, pytest.param(30, marks=pytest.mark.long)], ids=["a few", "many"]
)
def test_events_acknowledged_during_an_outage_are_recorded_once(
    own_cluster: Cluster, tmp_path: Path, rounds: int
) -> None:
    """Attributed to the named key, whenever it was accepted."""
    data, random = tmp_path / "data", Random(rounds)
    token, api_key_id, member_id = set_up(data)
    events = [
        {**make_event(number, random), "apiKeyId": api_key_id}
        for number in range(rounds * BATCHES * BATCH)
    ]
    batches = [
        json.dumps(events[first : first + BATCH]).encode() for first in range(0, len(events), BATCH)
    ]
    server = start("serve", "--data", data, "--port", "0", "--workers", str(WORKERS))
    try:
        port = int(wait_for_server(data, server)["url"].rpartition(":")[2])
        while_away = 0
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for first in range(0, len(batches), BATCHES):
                sender = Sender(port, token, batches[first : first + BATCHES])
                futures = [pool.submit(sender.run) for _ in range(CONNECTIONS)]
                wait_for(sender, 10)
                while_away += crash(own_cluster, sender, server.pid, random)
                for future in futures:
                    future.result()
    finally:
        kill_group(server, signal.SIGTERM)
    for worker in range(WORKERS):  # its buffered events are moved to the database
        with open_installation(replace(read_settings(data=data), worker=worker)) as services:
            assert services.ledger.buffered == 0

    assert while_away > 0
    recorded = stored(data)
    assert sorted(event.event_id for event in recorded) == sorted(
        str(event["eventId"]) for event in events
    )
    assert {event.member_id for event in recorded} == {member_id}
    assert {event.cost_source.value for event in recorded} == {"computed"}


def set_up(data: Path) -> tuple[str, str, str]:
    """An organization: an access token, the id of an API key and of its creator."""
    created = command("owner", "me@example.test", "--data", data, env_password="a long password!")
    with open_administration(read_settings(data=data)) as opened:
        operator = operator_of(opened.organizations.all()[0])
        member = opened.members.find_by_email(operator, None)
        project, _ = opened.projects.ensure(operator, "P")
        api_key, _ = opened.keys.create(
            operator,
            project_id=project.project_id,
            member_id=member.member_id,
            description="sender",
        )
    return created.stdout.strip(), api_key.api_key_id, member.member_id


def crash(cluster: Cluster, sender: Sender, supervisor: int, random: Random) -> int:
    """Stop the database and, half of the time, kill a worker; returns the number of batches
    accepted meanwhile."""
    cluster.stop("immediate")
    before = sender.acknowledged
    time.sleep(random.uniform(0.3, 0.8))
    taken = sender.acknowledged - before
    workers = children_of(supervisor)
    if workers and random.random() < 0.5:
        os.kill(random.choice(workers), signal.SIGKILL)
    time.sleep(random.uniform(0.0, 0.4))
    cluster.start()
    return taken


def wait_for(sender: Sender, acknowledged: int) -> None:
    deadline = time.monotonic() + 120
    while sender.acknowledged < acknowledged:
        assert time.monotonic() < deadline
        time.sleep(0.01)
