"""Installations that share a database: changes on one node apply on the others at once."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.factories import make_event
from tests.postgres import Cluster

from outlay.bootstrap.installation import open_installation
from outlay.domain.amendment import standing
from outlay.domain.errors import Unauthenticated
from outlay.domain.event import UsageEvent
from outlay.domain.organization import ApiKey, operator_of
from outlay.domain.verification import VerificationState, VerifyReport
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.storage.ledger.rows import from_row
from outlay.storage.postgres import PostgresDatabase
from outlay.storage.postgres_leader_election import PostgresLeaderElection


@pytest.fixture
def nodes(cluster: Cluster, tmp_path: Path) -> Iterator[list[Services]]:
    """Three nodes, each with its own folder, that poll for changes like a server."""
    url = cluster.create_database()
    with ExitStack() as stack:
        opened = [
            stack.enter_context(
                open_installation(
                    Settings(
                        data=tmp_path / str(number),
                        database_url=url,
                        master_key="11" * 32,
                        audit_key="22" * 32,
                    )
                )
            )
            for number in range(3)
        ]
        for services in opened:
            services.watch.start()
            services.projection.start()
        yield opened


def recognised(services: Services, text: str) -> ApiKey:
    """The authenticated key of a caller; in a separate thread, as others may have left an event
    loop here."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, services.api_keys.authenticate(text)).result()


def test_revoked_key_is_refused_by_every_node_within_a_second(nodes: list[Services]) -> None:
    first = nodes[0]
    administration = first.administration
    organization = administration.organizations.create("Acme")
    operator = operator_of(organization)
    owner = administration.sign_in.set_owner(organization, "me@example.test", "a long password!")
    project, _ = administration.projects.ensure(operator, "P")
    api_key, text = administration.keys.create(
        operator, project_id=project.project_id, member_id=owner.member_id, description="k"
    )
    for services in nodes:
        assert recognised(services, text).api_key_id == api_key.api_key_id

    administration.keys.revoke(operator, api_key.api_key_id)
    time.sleep(1.0)

    for services in nodes:
        with pytest.raises(Unauthenticated):
            recognised(services, text)


def test_every_node_loads_its_cube_from_all_commits(
    nodes: list[Services],
) -> None:
    for services in nodes:
        services.ledger.append([make_event(cost_pusd=7) for _ in range(3)])
    for services in nodes:
        services.projection.catch_up()
        assert services.projection.pending_events == 0
        report = list(services.maintenance.verify())[-1]
        assert isinstance(report, VerifyReport)
        assert report.is_proven
        assert report.cost_pusd == 63


def test_every_node_knows_the_verification_result(nodes: list[Services]) -> None:
    for services in nodes:
        assert services.analytics.freshness().verified.state is VerificationState.NOT_RUN
    for _ in nodes[0].maintenance.verify():
        pass
    for services in nodes:
        services.watch.check()
        found = services.analytics.freshness().verified
        assert found.state is VerificationState.VERIFIED
        assert found == nodes[0].analytics.freshness().verified


def test_another_node_becomes_leader_when_the_leader_ends(cluster: Cluster) -> None:
    database = PostgresDatabase(cluster.create_database())
    first, second = PostgresLeaderElection(database), PostgresLeaderElection(database)
    assert [first.lead(), second.lead(), first.lead()] == [True, False, True]
    first.close()
    assert [second.lead(), first.lead()] == [True, False]
    second.close()
    database.close()


def test_answer_counts_once_across_nodes(nodes: list[Services]) -> None:
    sources = ("otel", "litellm", "gateway")
    reports = [
        [
            make_event(response_id=f"msg_{number:028d}", source=source, input_tokens=number)
            for number in range(60)
        ]
        for source in sources
    ]

    def send(node: Services, events: list[UsageEvent]) -> None:
        for start in range(0, len(events), 7):
            node.ledger.append(events[start : start + 7])

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(send, nodes, reports))

    rows = [from_row(row) for batch in nodes[0].ledger.read_batches(0) for row in batch.rows]
    counted = standing(rows)
    assert {event.event_id for event in counted} == {event.event_id for event in reports[2]}
    assert nodes[1].ledger.count_requests(10_000) == 60
