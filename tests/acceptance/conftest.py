"""A real server on loopback, in this process, so that tests control its clock."""

import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.bootstrap.installation import open_installation
from outlay.cli.server import server_config
from outlay.domain.actor import Plan, Role, Scope
from outlay.domain.ids import MemberId, OrganizationId
from outlay.domain.organization import Member, Organization, operator_of
from outlay.kit.clock import to_us
from outlay.kit.ids import new_id
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.storage.directory.members import create_member
from outlay.storage.directory.organizations import create_organization
from outlay.web.app import Application


@dataclass
class Tenant:
    """An organization with a member and that member's access token."""

    organization: Organization
    member: Member
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers of its requests."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Server:
    """A running server with its services."""

    services: Services
    url: str
    http: httpx.Client

    def tenant(
        self,
        *,
        role: Role = Role.OWNER,
        plan: Plan = Plan.ENTERPRISE,
        scopes: frozenset[Scope] = frozenset(Scope),
        timezone: str = "UTC",
    ) -> Tenant:
        """A new organization with one member."""
        number = new_id("x")
        organization = Organization(
            organization_id=OrganizationId(new_id("org")),
            name=f"Org {number}",
            slug=number.replace("_", "-"),
            plan=plan,
            timezone=timezone,
        )
        member = Member(
            member_id=MemberId(new_id("mem")),
            organization_id=organization.organization_id,
            name="Some One",
            email=f"{number}@example.test",
            role=role,
        )
        now_us = to_us(NOW)
        with self.services.directory.write() as session:
            create_organization(session, organization, now_us)
            create_member(session, member, now_us)
        _, token = self.services.administration.tokens.create(
            operator_of(organization),
            description="Test",
            scopes=scopes,
            member_id=member.member_id,
        )
        return Tenant(organization, member, token)

    def tenants(self) -> Iterator[Tenant]:
        """New organizations without end.

        They are made in batches, as the server reads all that it knows again after each change.
        """
        while True:
            yield from [self.tenant() for _ in range(50)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_installation: Path) -> Iterator[Server]:
    """The server of a file's tests; the cube is loaded only when a test does so.

    One for all files would hold thousands of members and access tokens in the end, all of which it
    reads again after each change.
    """
    data = shutil.copytree(empty_installation, tmp_path_factory.mktemp("server") / "data")
    listener = socket.create_server(("127.0.0.1", 0))
    with open_installation(Settings(data=data), FixedClock(NOW)) as services:
        config = server_config(Application(services, "operator-secret"), grace_seconds=5)
        services.watch.start()
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with httpx.Client(base_url=url, timeout=60) as http:
                yield Server(services, url, http)
        finally:
            running.should_exit = True
            thread.join()
            listener.close()


@pytest.fixture
def server_clock(server: Server) -> Iterator[FixedClock]:
    """The server's clock, which is set back after the test."""
    running: Any = server.services.clock
    yield running
    running.instant = NOW
