"""Organizations with people in every role, each with every credential, and one of everything."""

import asyncio
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache

from argon2 import PasswordHasher
from tests.acceptance.conftest import Server
from tests.factories import NOW, make_event

from outlay.domain.actor import Actor, Plan, Role, Scope
from outlay.domain.ids import EventId, MemberId, ProjectId, UpstreamId
from outlay.domain.money import Pusd
from outlay.domain.organization import Member, Organization, operator_of
from outlay.domain.repricing import RepriceWanted
from outlay.domain.spend_limit import LimitInterval, LimitScope
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.kit.ids import new_id
from outlay.services.bundle import Administration
from outlay.services.reconciliation.bills import BillFile
from outlay.storage.directory.members import create_member

PASSWORD = "several words are best"
_numbers = itertools.count(1)
_hash_of = cache(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash)
"""Fast to verify: the cost of a hash is stored in it (`tests/unit/services/access`)."""


@dataclass
class Person:
    """A member and their credentials."""

    member: Member
    token: str
    session: str

    @property
    def bearer(self) -> dict[str, str]:
        """Headers with the access token."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def cookie(self) -> dict[str, str]:
        """Headers with the session, as a browser sends them."""
        return {"Cookie": f"outlay_session={self.session}", "Accept": "text/html"}


@dataclass
class World:
    """An organization; everything in it is named after `canary`."""

    server: Server
    organization: Organization
    canary: str
    people: dict[Role, Person] = field(default_factory=dict)
    dropped: str = ""
    """The other request of the last duplicate."""

    @property
    def administration(self) -> Administration:
        """The services that set it up."""
        return self.server.services.administration

    @property
    def operator(self) -> Actor:
        """The operator in it."""
        return operator_of(self.organization)

    def name(self) -> str:
        """A unique name."""
        return f"{self.canary} {next(_numbers)}"

    def add_person(self, role: Role, email: str | None = None) -> Person:
        """Another member."""
        number = next(_numbers)
        member = Member(
            member_id=MemberId(new_id("mem")),
            organization_id=self.organization.organization_id,
            name=f"{self.canary} {role} {number}",
            email=email or f"{role}{number}@{self.canary.lower()}.test",
            role=role,
        )
        services = self.server.services
        password_hash = _hash_of(PASSWORD)
        with services.directory.change() as session:
            create_member(session, member, to_us(NOW), password_hash)
        _, token = self.administration.tokens.create(
            self.operator, description=self.name(), scopes=Scope, member_id=member.member_id
        )
        signing = self.administration.sign_in.sign_in(
            member.email, PASSWORD, new_id("ip"), "req", organization=self.organization.slug
        )
        with ThreadPoolExecutor(1) as pool:
            session_token = pool.submit(asyncio.run, signing).result()
        return Person(member, token, session_token)

    def actor(self, person: Person) -> Actor:
        """A member as an actor, with a session."""
        return self.server.services.access.actor_of_session(person.session)

    # One of each kind, new at every call; returns the id

    def make(self, kind: str, owner: Member) -> str:
        """Create an object of a kind, owned by a member if objects of the kind have owners."""
        makers: dict[str, Callable[[Member], str]] = {
            "project_id": lambda _: self.project(),
            "api_key_id": self.api_key,
            "member_id": lambda _: self.add_person(Role.DEVELOPER).member.member_id,
            "group_id": lambda _: self.group(),
            "invitation_id": lambda _: self.invitation(),
            "upstream_id": lambda _: self.upstream(),
            "price_id": lambda _: self.price(),
            "rate_id": lambda _: self.exchange_rate(),
            "reconciliation_id": lambda _: self.reconciliation(),
            "reprice_id": lambda _: self.reprice(),
            "discovered_id": lambda _: self.discovered(),
            "token_id": self.token,
            "user_id": lambda _: self.add_person(Role.DEVELOPER).member.member_id,
            "event_id": self.event,
            "session_id": self.session,
            "key": lambda _: self.tag(),
        }
        return makers[kind](owner)

    def project(self) -> str:
        """A project."""
        return self.administration.projects.create(self.operator, self.name()).project_id

    def api_key(self, owner: Member) -> str:
        """An API key."""
        return self.key(owner)[0]

    def key(self, owner: Member) -> tuple[str, str]:
        """An API key and its text."""
        created, text = self.administration.keys.create(
            self.operator,
            project_id=ProjectId(self.project()),
            description=self.name(),
            member_id=owner.member_id,
        )
        return created.api_key_id, text

    def discovered(self) -> str:
        """A project known only from usage."""
        organization_id, name = self.organization.organization_id, self.name()
        report = UsageReport(
            event_id=EventId(name),
            event_time_us=to_us(NOW),
            provider="openai",
            mapping="openai/gpt-5.5",
            usage=TokenUsage(1, 1),
            project_id=name,
        )
        self.server.services.recorder.record(organization_id, [report])
        found = self.administration.discovered.list_for(self.operator)
        return next(entry.discovered_id for entry in found if entry.value == name)

    def reconciliation(self) -> str:
        """A compared bill."""
        costs = f"start_time,amount_value,line_item,project_id\n2026-11-19,1.5,{self.name()},p\n"
        file = BillFile(provider="openai", content=costs, file_name=self.name())
        return self.server.services.reconciling.reconcile(self.operator, file).reconciliation_id

    def group(self) -> str:
        """A user group."""
        return self.administration.groups.create(self.operator, self.name()).group_id

    def invitation(self) -> str:
        """An invitation."""
        email = f"new{next(_numbers)}@{self.canary.lower()}.test"
        return self.administration.members.invite(self.operator, email, Role.DEVELOPER)[
            0
        ].invitation_id

    def upstream(self) -> UpstreamId:
        """An upstream."""
        return self.administration.upstreams.create(
            self.operator,
            provider="openai",
            name=f"{self.canary.lower()}-{next(_numbers)}",
            base_url=f"http://{self.canary.lower()}.test/v1",
        ).upstream_id

    def mapping(self) -> str:
        """A model mapping; returns its name."""
        return self.administration.upstreams.put_mapping(
            self.operator, name=self.name(), upstream_id=self.upstream(), model="gpt-5.5"
        ).name

    def price(self) -> str:
        """A price."""
        entry = {"model": self.name(), "input": "1"}
        return self.administration.prices.create(self.operator, entry).price_id

    def exchange_rate(self) -> str:
        """An exchange rate."""
        entry = {"currency": "GBP", "usd": "1.3", "effective_from": self.day()}
        return self.administration.prices.create_rate(self.operator, entry).rate_id

    def day(self) -> str:
        """A day that is not used yet."""
        return f"{NOW.date() - timedelta(days=next(_numbers))}"

    def limit(self) -> str:
        """A monthly limit of a project; returns the project."""
        project_id = self.project()
        self.administration.limits.put(
            self.operator, LimitScope.PROJECT, project_id, LimitInterval.MONTH, Pusd(10**12)
        )
        return project_id

    def token(self, owner: Member) -> str:
        """An access token."""
        created, _ = self.administration.tokens.create(
            self.operator,
            description=self.name(),
            scopes=[Scope.USAGE_READ],
            member_id=owner.member_id,
        )
        return created.token_id

    def event(self, user: Member) -> str:
        """A request attributed to a member; returns its id."""
        event = make_event(
            organization_id=self.organization.organization_id,
            user_id=user.member_id,
            app=self.canary,
        )
        self.server.services.ledger.append([event])
        self.server.services.projection.catch_up()
        return event.event_id

    def free_tag(self) -> str:
        """A key that can be registered: makes room for it."""
        tags = self.administration.tags
        for known in tags.list_for(self.operator):
            tags.remove(self.operator, known.key)
        return f"t-{new_id('x')}"[:40]

    def tag(self) -> str:
        """A registered tag."""
        return self.administration.tags.add(self.operator, self.free_tag()).key

    def duplicate(self) -> str:
        """A possible duplicate; returns its id. The other request is `dropped`."""
        events = [
            make_event(
                organization_id=self.organization.organization_id,
                source=source,
                app=self.canary,
                input_tokens=100 + next(_numbers),
            )
            for source in ("gateway", "otel")
        ]
        events[1] = replace(events[1], input_tokens=events[0].input_tokens)
        self.server.services.ledger.append(events)
        self.dropped = events[1].event_id
        return events[0].event_id

    def reprice(self) -> str:
        """A finished repricing run."""
        wanted = RepriceWanted(
            from_date=NOW.date(), to_date=NOW.date(), timezone="UTC", filters={"app": ["none"]}
        )
        begun, run = self.server.services.reprices.begin(self.operator, wanted, self.name())
        run.result()
        return begun.reprice_id

    def session(self, user: Member) -> str:
        """A session with a request attributed to a member; returns its id."""
        event = make_event(
            organization_id=self.organization.organization_id,
            user_id=user.member_id,
            session_id=new_id("run"),
            app=self.canary,
        )
        self.server.services.ledger.append([event])
        self.server.services.projection.catch_up()
        return event.session_id

    def sso(self) -> None:
        """Single sign-on."""
        self.administration.sso.put(
            self.operator, issuer=f"https://{self.canary.lower()}.test", client_id=self.canary
        )


def make_world(server: Server, plan: Plan = Plan.ENTERPRISE) -> World:
    """A new organization with one member of each role and one of everything."""
    canary = f"Canary{next(_numbers)}x"
    organization = server.services.administration.organizations.create(canary, plan=plan)
    world = World(server, organization, canary)
    for role in Role:
        world.people[role] = world.add_person(role)
    owner = world.people[Role.OWNER].member
    for kind in ("project_id", "api_key_id", "group_id", "invitation_id", "upstream_id"):
        world.make(kind, owner)
    world.mapping()
    world.price()
    world.limit()
    world.sso()
    world.event(owner)
    return world
