"""Every link of every page opens, or explains to the user what they can do instead."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx
import pytest
from tests.acceptance.conftest import Server
from tests.acceptance.world import Person, World, make_world
from tests.factories import NOW
from typing_extensions import override

from outlay.domain.actor import Plan, Role
from outlay.domain.ids import EventId
from outlay.domain.policy import Lack
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.web.dashboard.navigation import NAVIGATION, SETTINGS, lock_of

MOST_PAGES = 120
"""Maximum number of URLs followed per person; it does not grow with the data."""

PERIODS = {
    "none": {},
    "preset": {"preset": "7d"},
    "preset and zone": {"preset": "last-month", "timezone": "Asia/Kathmandu"},
    "dates": {"from": "2026-11-03", "to": "2026-11-19"},
    "zone": {"timezone": "America/St_Johns"},
}
"""Periods that a person may have selected before following a link; links carry them along."""

STRANGE = "team/7 of ünï & “co” <b>?"
"""A name that must be escaped in a path."""


class Links(HTMLParser):
    """The links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.found.append(given["href"] or "")


def links_of(page: httpx.Response) -> list[str]:
    """URLs of this server that a page links to."""
    parser = Links()
    parser.feed(page.text)
    absolute = [urljoin(str(page.url), link) for link in parser.found]
    ours = str(page.url.copy_with(path="/", query=None))
    return [link.removeprefix(ours[:-1]) for link in absolute if link.startswith(ours)]


def shape_of(path: str) -> tuple[str, ...]:
    """What URLs have in common that differ only in ids and values."""
    parts = urlsplit(path)
    plain = re.sub(r"(?<=/)(prj|key|mem|grp|dsc|evt|rec)_[^/.]+", "*", parts.path)
    return plain, *sorted({name for name, _ in parse_qsl(parts.query)})


def carry(path: str, period: dict[str, str]) -> str:
    """A sidebar or palette link as the page's script changes it: with the selected period."""
    if path.startswith("/settings") or not period:
        return path
    parts = urlsplit(path)
    return f"{parts.path}?{urlencode({**dict(parse_qsl(parts.query)), **period})}"


@dataclass
class Visitor:
    """A user who follows links."""

    http: httpx.Client
    person: Person
    wrong: list[str] = field(default_factory=list)

    def open(self, path: str, came_from: str) -> httpx.Response:
        answer = self.http.get(path, headers=self.person.cookie, follow_redirects=True)
        if answer.status_code == 403 and 'data-code="' in answer.text:
            if not re.search(r'class="(button|link)" href="(/|/me/usage|mailto:)', answer.text):
                self.wrong.append(f"{path}: a refusal without a way on")
        elif answer.status_code >= 400:
            self.wrong.append(f"{answer.status_code} {path} (from {came_from})")
        return answer

    def crawl(self, starts: list[str]) -> int:
        """Follow all links, each kind of URL once; returns the number of opened pages."""
        waiting = [(path, "the start") for path in starts]
        seen: set[tuple[str, ...]] = set()
        while waiting and len(seen) < MOST_PAGES:
            path, came_from = waiting.pop(0)
            if shape_of(path) in seen or path.startswith(("/static/", "/login", "/docs")):
                continue
            seen.add(shape_of(path))
            answer = self.open(path, came_from)
            if "text/html" in answer.headers.get("content-type", ""):
                waiting.extend((link, path) for link in links_of(answer) if "#" not in link)
        return len(seen)

    def palette(self, text: str) -> Iterator[dict[str, str]]:
        answer = self.http.get("/palette.json", params={"q": text}, headers=self.person.cookie)
        yield from answer.json()["items"]


@pytest.fixture(scope="module")
def worlds(server: Server) -> dict[Plan, World]:
    """An organization for each plan, with usage of its own and reported usage."""
    return {plan: populate(make_world(server, plan)) for plan in Plan}


def populate(world: World) -> World:
    """Add usage by members, and by entities that nobody has set up."""
    services = world.server.services
    owner = world.people[Role.OWNER].member
    for person in world.people.values():
        world.make("api_key_id", person.member)
        world.event(person.member)
    world.reconciliation()
    reports = [
        UsageReport(
            event_id=EventId(f"{world.canary}-{number}"),
            event_time_us=to_us(NOW) - number * 3_600_000_000,
            provider="openai",
            mapping="openai/gpt-4o",
            usage=TokenUsage(1_000, 10),
            project_id=project,
            api_key_id=key,
            user_id=user,
            groups=(f"group of {world.canary}",),
            app=STRANGE,
        )
        for number, (project, key, user) in enumerate(
            [
                (STRANGE, STRANGE, STRANGE),
                ("p001", "hash-1", "ada@example.test"),
                ("p001", world.make("api_key_id", owner), owner.member_id),
                ("", "hash-2", ""),
            ]
        )
    ]
    services.recorder.record(world.organization.organization_id, reports)
    services.projection.catch_up()
    services.watch.check()
    return world


QUICK = {(Role.OWNER, Plan.ENTERPRISE), (Role.ADMIN, Plan.FREE), (Role.DEVELOPER, Plan.FREE)}
EVERYBODY = [
    pytest.param(role, plan, marks=() if (role, plan) in QUICK else pytest.mark.long)
    for role in Role
    for plan in Plan
]


@pytest.mark.parametrize(("role", "plan"), EVERYBODY)
def test_every_link_opens(worlds: dict[Plan, World], role: Role, plan: Plan) -> None:
    world = worlds[plan]
    visitor = Visitor(world.server.http, world.people[role])

    places = [item for text in ("", "a", "o", STRANGE[:6]) for item in visitor.palette(text)]
    opened = visitor.crawl(["/", "/settings", *(item["path"] for item in places)])

    assert visitor.wrong == []
    assert opened > 20


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("plan", [pytest.param(Plan.FREE, marks=pytest.mark.long), Plan.ENTERPRISE])
def test_every_entry_link_opens_in_every_period(
    worlds: dict[Plan, World], plan: Plan, period: str
) -> None:
    world = worlds[plan]
    for role in Role:
        visitor = Visitor(world.server.http, world.people[role])
        home = visitor.open("/", "")
        entries = [*links_of(home), *(item["path"] for item in visitor.palette(""))]
        for entry in dict.fromkeys(entries):
            if shape_of(entry)[0].startswith(("/static", "/login")) or "#" in entry:
                continue
            visitor.open(carry(entry, PERIODS[period]), "sidebar or palette")
        assert visitor.wrong == [], role


def test_lock_marks_are_exactly_at_restricted_pages(worlds: dict[Plan, World]) -> None:
    for world in worlds.values():
        for role, person in world.people.items():
            actor = world.actor(person)
            for item in (*(i for s in NAVIGATION for i in s.items), *SETTINGS):
                answer = world.server.http.get(
                    item.path, headers=person.cookie, follow_redirects=True
                )
                lock = lock_of(item, actor)
                assert (answer.status_code == 403) == (lock is not None), (role, item.path)
                if lock:
                    assert f'data-code="{lock}-required"' in answer.text, item.path
                    assert item.title.replace("&", "&amp;") in answer.text
                    assert f"{lock}-required" not in re.sub(r"<[^>]*>", "", answer.text)


def test_entities_with_unusual_ids_have_pages(worlds: dict[Plan, World]) -> None:
    world = worlds[Plan.ENTERPRISE]
    visitor = Visitor(world.server.http, world.people[Role.OWNER])

    found = {item["kind"]: item["path"] for item in visitor.palette(STRANGE[:6])}
    assert {"Discovered project", "Discovered API key", "User", "App"} <= found.keys()
    for kind, path in found.items():
        answer = visitor.open(f"{path}{'&' if '?' in path else '?'}preset=7d", kind)
        assert "1 request<" in answer.text or "$0.0026" in answer.text, kind
        if kind in {"User", "Discovered API key"}:
            (everything,) = re.findall(r'href="([^"]+)"\s+data-go>All models<', answer.text)
            ranking = visitor.open(html.unescape(everything), kind)
            assert "$0.0026" in ranking.text, kind
    assert visitor.wrong == []
    assert [*visitor.palette("TEAM/7 OF ÜN")], "whatever the case"


def test_developers_find_only_their_own_entities(worlds: dict[Plan, World]) -> None:
    world = worlds[Plan.ENTERPRISE]
    owner = Visitor(world.server.http, world.people[Role.OWNER])
    developer = Visitor(world.server.http, world.people[Role.DEVELOPER])
    secret = [item for item in owner.palette(STRANGE[:6]) if item["kind"] != "App"]
    assert len(secret) >= 3

    assert [*developer.palette(STRANGE[:6])] == []
    for item in secret:
        answer = world.server.http.get(item["path"], headers=developer.person.cookie)
        assert answer.status_code in {403, 404}, item
    assert "p001" not in developer.open("/settings/projects", "").text


def test_refusals_say_who_can_help(worlds: dict[Plan, World]) -> None:
    world = worlds[Plan.FREE]
    owner = world.people[Role.OWNER].member
    told = {
        role: world.server.http.get("/organization/members", headers=person.cookie).text
        for role, person in world.people.items()
    }

    assert "mailto:" not in told[Role.OWNER], "nobody is sent to themselves"
    for text in told.values():
        assert "outlay org update --plan enterprise" in text
        assert "what each member&#39;s API keys are used for" in text
    for role in (Role.ADMIN, Role.DEVELOPER):
        assert f"mailto:{owner.email}" in told[role]
    assert "Your role does not include it" in told[Role.DEVELOPER]
    assert "Your role does not include it" not in told[Role.ADMIN]
    enterprise = worlds[Plan.ENTERPRISE]
    actor = enterprise.actor(enterprise.people[Role.DEVELOPER])
    members = next(item for s in NAVIGATION for item in s.items if item.title == "Members")
    assert lock_of(members, actor) is Lack.ROLE
    page = enterprise.server.http.get(
        "/me/usage", headers=enterprise.people[Role.DEVELOPER].cookie
    ).text
    assert "Admins only" in page
    assert "Enterprise feature" not in page
