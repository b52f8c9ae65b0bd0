"""Every analytics endpoint over HTTP on ten million rollup rows: idle, and while events arrive."""

import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
from tests.program import serving, wait_for_server

from bench.data import (
    FIRST_BUCKET,
    LATENCY_SQL,
    ORGANIZATION,
    YEAR_BUCKETS,
    put_rows,
    settle,
)
from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Plan, Role, Scope
from outlay.domain.event import UsageEvent
from outlay.domain.ids import ApiKeyId, EventId, GroupId, MemberId, OrganizationId, ProjectId
from outlay.domain.organization import ApiKey, Member, Organization, Project, UserGroup, operator_of
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.storage.cube.rollups import NARROWS
from outlay.storage.directory.api_keys import create_api_key
from outlay.storage.directory.groups import create_group
from outlay.storage.directory.members import create_member
from outlay.storage.directory.organizations import create_organization
from outlay.storage.directory.projects import create_project

LOGGED: Final = 200_000
"""Events of the ledger, for the log of requests."""
RUNS: Final = 15
CLIENTS: Final = 8
EVENTS_PER_SECOND: Final = 500
LOAD_SECONDS: Final = 20
THINKING_SECONDS: Final = 0.25
"""Four queries per second and client: a page makes one or two."""

ENDPOINTS: Final = {
    "activity by model": "/api/v1/analytics/activity?groupBy=model&shape=series",
    "activity by user, daily": "/api/v1/analytics/activity?groupBy=user&bucket=day&shape=series",
    "activity by group": "/api/v1/analytics/activity?groupBy=group&shape=series",
    "activity by project and model": (
        "/api/v1/analytics/activity?groupBy=project,model&top=5&shape=series"
    ),
    "activity, filtered": "/api/v1/analytics/activity?projectId=prj_3&app=app_2&shape=series",
    "summary": "/api/v1/analytics/summary",
    "summary beside the year before": "/api/v1/analytics/summary?compare=year",
    "members": "/api/v1/analytics/members",
    "one member": "/api/v1/analytics/members/mem_3",
    "one API key": "/api/v1/analytics/keys/key_3",
    "one project": "/api/v1/analytics/projects/prj_3",
    "users": "/api/v1/analytics/users?sort=averageLatencyMs",
    "users and groups": "/api/v1/analytics/users-and-groups",
    "groups": "/api/v1/analytics/groups",
    "projects": "/api/v1/analytics/projects",
    "me": "/api/v1/analytics/me",
    "latency by model": "/api/v1/analytics/latency?groupBy=model",
    "health": "/api/v1/analytics/health",
    "requests": "/api/v1/requests?limit=50",
    "requests of one user": "/api/v1/requests?limit=50&userId=mem_77",
    "report by user and model": "/api/v1/exports/report?groupBy=user,model&format=json",
}
WINDOWS: Final = {
    "a year": (date(2025, 11, 21), date(2026, 11, 18)),
    "30 days": (date(2026, 10, 20), date(2026, 11, 18)),
}


def fill(services: Services, rows: int) -> str:
    """Create an organization with everything that the rows refer to; returns its access token."""
    with services.directory.change() as session:
        organization = Organization(
            organization_id=OrganizationId(ORGANIZATION),
            name="Bench",
            plan=Plan.ENTERPRISE,
            timezone="UTC",
            slug="b",
        )
        create_organization(session, organization, 0)
        for n in range(200):
            member = Member(
                member_id=MemberId(f"mem_{n}"),
                organization_id=OrganizationId(ORGANIZATION),
                name=f"Member {n}",
                email=f"m{n}@example.test",
                role=Role.OWNER if n == 0 else Role.DEVELOPER,
            )
            create_member(session, member, 0)
        for n in range(51):
            create_project(
                session,
                Project(
                    project_id=ProjectId(f"prj_{n}"),
                    organization_id=OrganizationId(ORGANIZATION),
                    name=f"Project {n}",
                ),
                0,
            )
        for n in range(501):
            key = ApiKey(
                api_key_id=ApiKeyId(f"key_{n}"),
                organization_id=OrganizationId(ORGANIZATION),
                project_id=ProjectId(f"prj_{n // 10}"),
                member_id=MemberId(f"mem_{n % 200}"),
                description=f"Key {n}",
            )
            create_api_key(session, key, 0)
        for n in range(20):
            group = UserGroup(
                group_id=GroupId(f"grp_{n}"),
                organization_id=OrganizationId(ORGANIZATION),
                name=f"Group {n}",
            )
            create_group(session, group, 0)
    _, token = services.administration.tokens.create(
        operator_of(organization), description="b", scopes=Scope, member_id=MemberId("mem_0")
    )
    generator = random.Random(7)
    for start in range(0, LOGGED, 5_000):
        services.ledger.append([logged(generator, start + n) for n in range(5_000)])
    services.projection.catch_up()
    services.projection.fold()
    database: Any = services.projection.slot.cube
    put_rows(database, rows)
    database._database.execute(LATENCY_SQL)
    for narrow in NARROWS:  # created by the events; rebuilt below
        database._database.execute(f"DELETE FROM {narrow.table}")
    settle(database)
    return token


def logged(generator: random.Random, number: int) -> UsageEvent:
    """An event at a random time in the year."""
    key = generator.randrange(500)
    at = (FIRST_BUCKET + generator.randrange(YEAR_BUCKETS)) * 900 * 1_000_000
    return UsageEvent(
        event_id=EventId(f"evt-{number}"),
        organization_id=OrganizationId(ORGANIZATION),
        event_time_us=at,
        project_id=f"prj_{key // 10}",
        api_key_id=f"key_{key}",
        member_id=f"mem_{key % 200}",
        user_id=f"mem_{key % 200}",
        groups=f"grp_{key % 20}",
        app=f"app_{key % 30}",
        provider="provider_1",
        mapping="provider_1/model-1",
        model="model-1",
        input_tokens=1000,
        output_tokens=100,
        cost_pusd=10**9,
        duration_us=500_000,
    )


def p95_ms(taken: list[float]) -> float:
    """The 95th percentile of seconds, in ms."""
    return sorted(taken)[max(0, -(-95 * len(taken) // 100) - 1)] * 1000


def timed(http: httpx.Client, url: str) -> float:
    """Seconds of one response, read to its end."""
    begin = time.perf_counter()
    answer = http.get(url)
    taken = time.perf_counter() - begin
    if answer.status_code != 200:
        raise RuntimeError(f"{url}: {answer.status_code} {answer.text[:300]}")
    return taken


@contextmanager
def events_arriving(url: str, token: str) -> Iterator[None]:
    """Send events at a fixed rate, in ten posts per second."""
    stop = threading.Event()

    def send() -> None:
        number, begun = 0, time.time_ns()
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
            while not stop.wait(0.1):
                now = datetime.now(UTC) - timedelta(seconds=1)
                body = [
                    {
                        "eventId": f"live-{begun}-{number + n}",
                        "eventTime": now.isoformat(),
                        "model": "openai/gpt-5.5",
                        "apiKeyId": f"key_{n}",
                        "usage": {"inputTokens": 10, "outputTokens": 10},
                    }
                    for n in range(EVENTS_PER_SECOND // 10)
                ]
                number += len(body)
                http.post(f"{url}/v1/usage/events", content=orjson.dumps(body)).raise_for_status()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def run(rows: int) -> list[str]:
    """The table, as lines of Markdown."""
    folder = Path(tempfile.mkdtemp(prefix="outlay-bench-"))
    try:
        with open_installation(Settings(data=folder)) as services:
            token = fill(services, rows)
        with serving(folder) as process:
            return _measure(str(wait_for_server(folder, process)["url"]), token, rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(url: str, token: str, rows: int) -> list[str]:
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}
    lines = [
        f"p95 over HTTP on {rows:,} usage and as many latency rows. Anew: each time another",
        "window, so that nothing is answered from memory; again: the same one.",
        "",
        "| endpoint | a year, anew | 30 days, anew | a year, again | bytes (a year, gzip) |",
        "|---|---|---|---|---|",
    ]
    worst = dict.fromkeys((*WINDOWS, "again"), 0.0)
    with httpx.Client(base_url=url, headers=headers, timeout=120) as http:
        for name, path in ENDPOINTS.items():
            cells = []
            for window in WINDOWS:
                timed(http, _asked(path, window, 0))
                taken = [timed(http, _asked(path, window, run)) for run in range(1, RUNS + 1)]
                worst[window] = max(worst[window], p95_ms(taken))
                cells.append(f"{p95_ms(taken):.0f} ms")
            same = _asked(path, "a year", 0)
            answer = http.get(same)
            again = p95_ms([timed(http, same) for _ in range(RUNS)])
            worst["again"] = max(worst["again"], again)
            lines.append(
                f"| {name} | {' | '.join(cells)} | {again:.0f} ms | "
                f"{answer.num_bytes_downloaded:,} |"
            )
    lines.append(f"| **slowest** | {' | '.join(f'{ms:.0f} ms' for ms in worst.values())} | |")
    lines += [
        "",
        f"All in turn, {CLIENTS} clients at a time while {EVENTS_PER_SECOND} events/s arrive; "
        f"each waits {THINKING_SECONDS} s between its questions, or not at all:",
        "",
        "| window | waiting | not at all | one client alone |",
        "|---|---|---|---|",
    ]
    for window, days_ago in (("a year", 0), ("30 days", 0), ("30 days", TODAY)):
        paths = [_asked(path, window, days_ago) for path in ENDPOINTS.values()]
        dashboards = _Dashboards(url, headers, paths)
        alone = p95_ms(dashboards.look(0, LOAD_SECONDS / 2, 0))
        with events_arriving(url, token):
            waiting = p95_ms(dashboards.look_together(THINKING_SECONDS))
            restless = p95_ms(dashboards.look_together(0))
        into = ", the events fall into it" if days_ago else ""
        lines.append(f"| {window}{into} | {waiting:.0f} ms | {restless:.0f} ms | {alone:.0f} ms |")
    return lines


TODAY: Final = -30
"""Days ago on which a window ends, for one that ends after today."""


def _asked(path: str, window: str, days_ago: int) -> str:
    """A question about a window that ends this many days before the last of the rows."""
    first, last = (day - timedelta(days=days_ago) for day in WINDOWS[window])
    return f"{path}{'&' if '?' in path else '?'}from={first}&to={last}"


@dataclass(frozen=True)
class _Dashboards:
    """Clients that send the same queries, each in its own order."""

    url: str
    headers: dict[str, str]
    paths: list[str]

    def look(self, seed: int, seconds: float, pause: float) -> list[float]:
        """Seconds of each answer to one client."""
        taken: list[float] = []
        end = time.monotonic() + seconds
        with httpx.Client(base_url=self.url, headers=self.headers, timeout=120) as http:
            for path in cycle(random.Random(seed).sample(self.paths, len(self.paths))):
                if time.monotonic() > end:
                    break
                taken.append(timed(http, path))
                time.sleep(pause)
        return taken

    def look_together(self, pause: float) -> list[float]:
        """Seconds of each answer to several clients at a time."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            parts = pool.map(lambda seed: self.look(seed, LOAD_SECONDS, pause), range(CLIENTS))
            return [taken for part in parts for taken in part]
