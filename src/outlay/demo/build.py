"""Filling an installation with the demo organization."""

from collections.abc import Iterator
from concurrent.futures import Future
from datetime import timedelta
from random import Random

from outlay.demo.cast import ORGANIZATION
from outlay.demo.directory import DemoDirectory, create_demo_directory
from outlay.demo.provider import PREFIX
from outlay.demo.traffic import demo_reports
from outlay.domain.actor import Role
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.ids import OrganizationId
from outlay.domain.organization import Member, operator_of
from outlay.domain.outcome import Outcome
from outlay.kit.progress import Progress
from outlay.services.bundle import Services
from outlay.storage.directory.members import list_members

MAX_DAYS = 730
VISITOR = "Your own requests"
IN_FLIGHT = 4
"""Batches submitted before the oldest must be done, so that generating and writing overlap."""


def build_demo(services: Services, *, seed: int, days: int) -> Iterator[Progress | Member]:
    """Create the organization and its usage history; the last item is its owner.

    Nothing is added to a data directory that already has the demo. One with another organization is
    refused with Conflict.
    """
    if not 1 <= days <= MAX_DAYS:
        raise Invalid(f"`--days` must be between 1 and {MAX_DAYS}.", field="days")
    known = services.administration.organizations.all()
    if known:
        if known[0].name != ORGANIZATION:
            raise Conflict(
                f"The data directory already contains the organization {known[0].name!r}. Use a "
                "separate `--data` directory for the demo."
            )
        yield _find_owner(services, known[0].organization_id)
        return
    random = Random(seed)  # noqa: S311 - reproducible, not secret
    now = services.clock.now()
    start = now - timedelta(days=days - 1)
    demo = create_demo_directory(services.directory, random, start, now)
    services.attribution.refresh()
    yield from _record(services, demo, random, seed, days)
    yield from services.projection.load_steps()
    services.projection.fold()
    yield demo.owner


def open_gateway(services: Services, owner: Member, url: str) -> str:
    """A fresh API key for the user, and an upstream that is this server itself."""
    administration = services.administration
    organization = administration.organizations.find_by_name(owner.organization_id)
    if organization is None:
        raise NotFound("The data directory has no demo organization.")
    operator = operator_of(organization)
    for known in administration.upstreams.list_for(operator):
        administration.upstreams.delete(operator, known.upstream_id)
    administration.upstreams.create(operator, provider="openai", name="demo", base_url=url + PREFIX)
    for key in administration.keys.list_for(operator):
        if key.description == VISITOR and not key.is_revoked:
            administration.keys.revoke(operator, key.api_key_id)
    project, _ = administration.projects.ensure(operator, "Playground")
    _, text = administration.keys.create(
        operator,
        project_id=project.project_id,
        member_id=owner.member_id,
        description=VISITOR,
    )
    return text


def _record(
    services: Services, demo: DemoDirectory, random: Random, seed: int, days: int
) -> Iterator[Progress]:
    now = services.clock.now()
    start = now - timedelta(days=days - 1)
    waiting: list[Future[list[Outcome]]] = []
    first_us = None
    for batch in demo_reports(demo, random, seed, start, now):
        waiting.append(services.recorder.submit(demo.organization.organization_id, batch))
        if len(waiting) > IN_FLIGHT:
            waiting.pop(0).result()
        last_us = batch[-1].event_time_us
        first_us = batch[0].event_time_us if first_us is None else first_us
        done = min(days, (last_us - first_us) // 86_400_000_000 + 1)
        yield Progress("days of usage", done, days)
    for future in waiting:
        future.result()


def _find_owner(services: Services, organization_id: OrganizationId) -> Member:
    with services.directory.read() as session:
        members = list_members(session, organization_id)
    return next(member for member in members if member.role is Role.OWNER)
