"""Cached directory data: bounded by the directory's size, never older than allowed."""

import asyncio
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from sqlalchemy import event
from tests.backdoor import engine_of
from tests.factories import NOW

from outlay.domain.api_key_format import render_key
from outlay.domain.errors import Conflict, Unauthenticated
from outlay.domain.ids import ApiKeyId
from outlay.domain.organization import ApiKey, Organization, operator_of
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.kit.ids import new_id
from outlay.kit.secrets import new_secret
from outlay.services.access.api_key_authentication import ApiKeys
from outlay.services.bundle import Services
from outlay.storage.ledger.rows import from_row

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """In a separate thread: the page tests leave an event loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture
def organization(services: Services) -> Organization:
    created = services.administration.organizations.create("Acme")
    services.administration.sign_in.set_owner(created, "me@example.test", "several words are best")
    return created


def make_key(services: Services, organization: Organization) -> tuple[str, str, str]:
    """A new key: its id, the key, and its project."""
    actor = operator_of(organization)
    project, _ = services.administration.projects.ensure(actor, "Production")
    api_key, key = services.administration.keys.create(
        actor,
        project_id=project.project_id,
        member_id=services.administration.members.list_for(actor)[0].member_id,
        description=new_id("d"),
    )
    return api_key.api_key_id, key, project.project_id


def unknown_key() -> str:
    """A well-formed key, as anyone can create."""
    return render_key(
        ApiKeyId(new_id("key")), new_secret()[:43].replace("-", "x").replace("_", "x")
    )


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_unknown_keys_do_not_delay_a_revocation(
    services: Services, organization: Organization, count: int
) -> None:
    api_key_id, key, _ = make_key(services, organization)
    api_keys = services.api_keys

    async def knock() -> None:
        for _ in range(count):
            with pytest.raises(Unauthenticated):
                await api_keys.authenticate(unknown_key())

    assert run(api_keys.authenticate(key)).api_key_id == api_key_id
    run(knock())
    assert len(api_keys._credentials) == 1
    services.watch.start()
    statements: list[str] = []
    listen_to = engine_of(services.directory)
    event.listen(listen_to, "before_cursor_execute", lambda *args: statements.append(str(args[2])))
    services.administration.keys.revoke(operator_of(organization), ApiKeyId(api_key_id))
    started = time.monotonic()
    while time.monotonic() - started < 5:
        try:
            run(api_keys.authenticate(key))
        except Unauthenticated:
            break
    assert time.monotonic() - started < 1
    assert sum("FROM api_key" in statement for statement in statements) < 20


def test_new_key_is_valid_immediately(services: Services, organization: Organization) -> None:
    _, key, _ = make_key(services, organization)
    head, _, _ = key.rpartition("_")
    with pytest.raises(Unauthenticated):
        run(services.api_keys.authenticate(head + "_" + "x" * 49))
    assert run(services.api_keys.authenticate(key)).organization_id == organization.organization_id


def test_value_loaded_before_a_revocation_is_not_cached_after_it(
    services: Services, organization: Organization
) -> None:
    api_key_id, key, _ = make_key(services, organization)

    def revoke_meanwhile(found: ApiKey) -> None:
        with suppress(Conflict):  # the second caller comes after the revocation
            services.administration.keys.revoke(operator_of(organization), found.api_key_id)
        api_keys.refresh()

    api_keys = ApiKeys(services.directory, services.clock, revoke_meanwhile)
    # Requested before the revocation.
    assert run(api_keys.authenticate(key)).api_key_id == api_key_id
    with pytest.raises(Unauthenticated):
        run(api_keys.authenticate(key))


def report(**changes: Any) -> UsageReport:
    """A report of one call."""
    return UsageReport(
        **{
            "event_id": new_id("e"),
            "event_time_us": to_us(NOW),
            "provider": "openai",
            "mapping": "openai/gpt-4o",
            "usage": TokenUsage(10, 5),
            "source": "test",
            **changes,
        }
    )


def test_new_entities_are_looked_up_before_an_event_is_recorded(
    services: Services, organization: Organization
) -> None:
    recorder, actor = services.recorder, operator_of(organization)
    recorder.record(organization.organization_id, [report()])  # now cached
    api_key_id, _, project_id = make_key(services, organization)
    group = services.administration.groups.create(actor, "Research")
    member = services.administration.members.list_for(actor)[0]

    # Nobody has noticed yet: the watch does not run.
    recorder.record(
        organization.organization_id,
        [report(api_key_id=api_key_id), report(user_id="ME@example.test", groups=("research",))],
    )

    batches = services.ledger.read_batches(0)
    by_key, by_user = [from_row(row) for batch in batches for row in batch.rows][1:]
    assert (by_key.project_id, by_key.user_id) == (project_id, member.member_id)
    assert (by_user.user_id, by_user.groups) == (member.member_id, group.group_id)


def test_key_is_loaded_for_attribution_before_its_first_request(
    services: Services, organization: Organization
) -> None:
    services.recorder.record(organization.organization_id, [report()])
    api_key_id, key, _ = make_key(services, organization)
    run(services.api_keys.authenticate(key))
    found = services.attribution.key(organization.organization_id, ApiKeyId(api_key_id))
    assert found is not None


def test_names_beyond_the_bound_are_cheap(
    services: Services, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outlay.services.directory.discovery.MAX_DISCOVERED", 50)
    recorder, organization_id = services.recorder, organization.organization_id
    recorder.record(organization_id, [report(user_id=f"user {n}") for n in range(100)])
    revision = services.directory.revision()

    recorder.record(organization_id, [report(user_id=f"more {n}") for n in range(100)])

    assert services.directory.revision() == revision
    found = services.administration.discovered.list_for(operator_of(organization))
    assert 40 < len(found) <= 50
