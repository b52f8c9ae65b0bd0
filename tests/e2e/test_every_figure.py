"""Every number on pages is the API's: cards, rankings, tables, charts, files, print.

The quick form checks some pages in some states; the long one every page × period × filter, and with
every role on every plan:

python -m pytest tests/e2e/test_every_figure.py -m "long or not long"
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page
from tests.e2e.charts import READ, rows_of, saved
from tests.e2e.conftest import Demo
from tests.e2e.figures import shows
from tests.e2e.test_every_page import settled
from tests.program import kill_group, start

from outlay.domain.actor import Plan, Role
from outlay.web.dashboard.static_files import static_url

METRICS: Final = {"cost": "Cost", "requestCount": "Requests", "totalTokens": "Tokens"}
CARDS: Final = {
    "Total spend": "cost",
    "Requests": "requestCount",
    "Tokens": "totalTokens",
    "Error rate": "errorRate",
}
DIMENSIONS: Final = frozenset(
    {"model", "mapping", "provider", "project", "apiKey", "user", "group", "app"}
)

COLLECT: Final = """() => {
  const text = node => (node?.textContent ?? "").replace(/\\s+/g, " ").trim();
  const figure = /^[\\u2212-]?\\$?[\\d,]+(\\.\\d+)?$/;
  return {
    cards: [...document.querySelectorAll(".kpi, .report-card")].map(card => ({
      title: text(card.querySelector(".kpi-title").firstChild),
      value: text(card.querySelector(".kpi-value")),
      exact: card.querySelector(".kpi-value").title,
      change: text(card.querySelector(".chip")),
    })),
    rankings: [...document.querySelectorAll("[data-panel] .ranking[data-ranking]")].map(table => ({
      view: table.closest("[id^=table-]").id.slice(6),
      metric: table.dataset.ranking,
      rows: [...table.tBodies[0].rows].map(row => ({
        key: row.dataset.key,
        exact: row.querySelector(".value").title,
        value: text(row.querySelector(".value")),
        share: text(row.querySelector(".share")),
      })),
      total: table.tFoot.querySelector(".value").title,
    })),
    figures: [...document.querySelectorAll("main [title]")]
      .filter(node => figure.test(node.title) && node.textContent.trim())
      .map(node => [text(node), node.title, node.outerHTML.slice(0, 120)]),
  };
}"""
"""The content of a page, as text."""


@dataclass
class Place:
    """A page, and the question of the API that has its numbers."""

    path: str
    api: str
    fixed: Mapping[str, str] = field(default_factory=dict)
    """The subject of the page, as parameters of that question."""


@dataclass
class Reader:
    """A user of a page who calls the API with the same session."""

    page: Page
    url: str

    def ask(self, path: str, **params: Any) -> dict[str, Any]:
        """An answer of the API, with exact amounts."""
        query = urlencode(params, doseq=True)
        answer = self.page.request.get(f"{self.url}{path}?{query}")
        assert answer.status == 200, (path, params, answer.text())
        found: dict[str, Any] = json.loads(answer.text(), parse_float=Decimal)
        return found

    def open(self, place: Place, state: Mapping[str, str]) -> dict[str, Any]:
        """Open a page and read it."""
        answer = self.page.goto(f"{self.url}{place.path}?{urlencode(state)}")
        assert answer is not None
        assert answer.status == 200, (place.path, state)
        settled(self.page)
        found: dict[str, Any] = self.page.evaluate(COLLECT)
        return found

    def check(self, place: Place, state: Mapping[str, str], *, files: bool = False) -> int:
        """Compare everything on a page with the API; returns the number of compared figures."""
        shown = self.open(place, state)
        what = (place.path, dict(state))
        asked = {"compare": "previous", **state, **place.fixed}
        totals = self.ask(place.api, **asked)["totals"]
        count = self._check_cards(shown["cards"], totals, what)
        for text, exact, where in shown["figures"]:
            assert shows(text, number(exact)), (what, where)
            count += 1
        for ranking in shown["rankings"]:
            count += self._check_ranking(place, asked, ranking)
        for chart in self.page.locator("usage-area").all():
            source = chart.get_attribute("data-source") or ""
            view = source.removeprefix("data-")
            if view in DIMENSIONS:
                count += self._check_chart(place, asked, view, files=files)
        self.page.emulate_media(media="print")
        assert self.page.evaluate(COLLECT)["cards"] == shown["cards"], what
        self.page.emulate_media(media="screen")
        return count

    def _check_cards(
        self, cards: list[dict[str, str]], totals: Mapping[str, Any], what: object
    ) -> int:
        for card in cards:
            name = CARDS.get(card["title"])
            if name is None:
                continue
            assert shows(card["value"], totals[name]), (what, card)
            if name != "errorRate":
                assert number(card["exact"]) == totals[name], (what, card)
            earlier = (totals.get("earlier") or {}).get(name)
            change = card["change"].removeprefix("up ").removeprefix("down ")
            if earlier and change not in {"", "new", "–"} and name != "errorRate":
                growth = abs(Decimal(totals[name]) - earlier) / earlier
                assert shows(change.lstrip("+−"), growth), (what, card, earlier)
        return 2 * len(cards)

    def _check_ranking(
        self, place: Place, asked: Mapping[str, Any], ranking: dict[str, Any]
    ) -> int:
        metric = ranking["metric"]
        answer = self.ask(
            place.api, **{**asked, "groupBy": ranking["view"], "rankBy": metric, "top": 8}
        )
        totals = answer["totals"]
        expected = {entry["key"]: entry[metric] for entry in totals["breakdown"]}
        what = (place.path, ranking["view"], metric)
        assert number(ranking["total"]) == totals[metric], what
        for row in ranking["rows"]:
            value = expected.get(row["key"], 0)
            assert number(row["exact"]) == value, (what, row)
            if totals[metric]:
                assert shows(row["share"], Decimal(value) / totals[metric]), (what, row)
        return 2 * len(ranking["rows"]) + 1

    def _check_chart(
        self, place: Place, asked: Mapping[str, Any], view: str, *, files: bool
    ) -> int:
        chart = self.page.locator(f"usage-area[data-source=data-{view}]")
        count = 0
        for metric in METRICS:
            answer = self.ask(place.api, **{**asked, "groupBy": view, "rankBy": metric, "top": 8})
            chart.evaluate("(chart, metric) => chart.show(metric)", metric)
            for step, read in zip(answer["activity"], chart.evaluate(READ), strict=True):
                exact, written = read["total"]
                what = (place.path, view, metric, step["date"])
                assert Decimal(exact) == step[metric], what
                assert shows(written, step[metric]), what
                parts = {part["key"]: part[metric] for part in step["breakdown"] if part[metric]}
                found = {key: Decimal(value) for key, (value, _) in read["rows"].items()}
                assert found == parts, what
                assert all(shows(text, parts[key]) for key, (_, text) in read["rows"].items())
                count += 2 * len(parts) + 2
            if files and chart.is_visible():
                count += self._check_files(chart, answer, metric)
        return count

    def _check_files(self, chart: Any, answer: dict[str, Any], metric: str) -> int:
        """Check the table view, the CSV and the texts of the picture."""
        card = f".chart-card:has([data-source={chart.get_attribute('data-source')}])"
        totals = answer["totals"]
        rows = rows_of(saved(self.page, "CSV", card))
        assert [Decimal(row[-1]) for row in rows[1:]] == [
            step[metric] for step in answer["activity"]
        ]
        self.page.locator(f"{card} [data-chart-do=table]").first.click()
        cell = self.page.locator(".data-table tfoot td").last
        assert number(cell.get_attribute("title") or "") == totals[metric]
        self.page.locator(f"{card} [data-chart-do=table]").first.click()
        texts = chart.evaluate(
            "async (chart, url) => (await import(url)).compose(chart, 'Title', 'about')"
            ".labels.map(label => label.text)",
            static_url("js/picture.js"),
        )
        whole = next(text for text in texts if text.startswith("Total"))
        assert shows(whole.rpartition(" ")[2], totals[metric]), whole
        return len(rows) + 2


def number(text: str) -> Decimal:
    """A figure written with all digits."""
    return Decimal(text.replace("$", "").replace(",", "").replace("−", "-"))


def places_of(reader: Reader) -> dict[str, Place]:
    """The pages whose numbers a single question of the API has."""
    project = reader.ask("/api/v1/analytics/projects")["projects"][0]["projectId"]
    keys = [key for key in reader.ask("/api/v1/api-keys")["apiKeys"] if key["projectId"] == project]
    key = keys[0]["apiKeyId"]
    activity = "/api/v1/analytics/activity"
    return {
        "organization": Place("/organization/analytics", activity),
        "project overview": Place(f"/project/{project}", activity, {"projectId": project}),
        "project analytics": Place(
            f"/project/{project}/analytics", activity, {"projectId": project}
        ),
        "key": Place(
            f"/project/{project}/keys/{key}", activity, {"projectId": project, "apiKeyId": key}
        ),
        "my usage": Place("/me/usage", "/api/v1/analytics/me"),
    }


STATES: Final = {
    "last month": {"preset": "last-month"},
    "7 days": {"preset": "7d"},
    "quarter": {"preset": "qtd"},
    "hours": {"preset": "24h"},
    "range in a zone": {"from": "2026-10-05", "to": "2026-11-02", "timezone": "Asia/Kathmandu"},
    "clock change": {"from": "2026-11-01", "to": "2026-11-01", "timezone": "America/New_York"},
    "weeks": {"preset": "qtd", "bucket": "week"},
}
FILTERS: Final = {
    "none": {},
    "model": {"model": "gpt-5.5"},
    "status": {"status": "ok"},
    "nothing matches": {"app": "no such app"},
}
GROUPINGS: Final = ("model", "project", "apiKey", "user", "group", "app", "provider", "mapping")


@pytest.fixture
def reader(page: Page, demo: Demo) -> Reader:
    """The owner, with the demo."""
    return Reader(page, demo.url)


@pytest.mark.parametrize(
    ("name", "state", "files"),
    [
        ("organization", {**STATES["last month"], "groupBy": "group"}, True),
        ("organization", {**STATES["range in a zone"], **FILTERS["model"]}, False),
        ("project overview", STATES["7 days"], False),
        ("key", STATES["last month"], False),
        ("my usage", STATES["last month"], False),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_page_equals_the_api(reader: Reader, name: str, state: dict[str, str], files: bool) -> None:
    assert reader.check(places_of(reader)[name], state, files=files) > 30


@pytest.mark.long
def test_every_page_in_every_state_equals_the_api(
    reader: Reader, record_property: Callable[[str, object], None]
) -> None:
    compared = 0
    for name, place in places_of(reader).items():
        for state, chosen in product(STATES.values(), FILTERS.values()):
            compared += reader.check(place, {**state, **chosen}, files=chosen == {})
        if name == "organization":
            for grouping, state in product(GROUPINGS, STATES.values()):
                compared += reader.check(place, {**state, "groupBy": grouping})
    record_property("figures", compared)
    assert compared > 50_000


@pytest.fixture(scope="module")
def own_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Path]]:
    """A demo whose plan and people may be changed."""
    data = tmp_path_factory.mktemp("demo")
    process = start("demo", "--port", "0", "--data", data, "--days", "45", "--json")
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        demo = Demo(said["url"], said["accessToken"], said["ownerEmail"], said["ownerPassword"])
        yield demo, data
    finally:
        kill_group(process, signal.SIGTERM)


PASSWORD: Final = "several words are best"


@pytest.mark.long
@pytest.mark.parametrize("plan", Plan)
@pytest.mark.parametrize("role", Role)
def test_every_role_sees_what_the_api_returns(
    own_demo: tuple[Demo, Path], browser: Browser, role: Role, plan: Plan
) -> None:
    demo, data = own_demo
    subprocess.run(
        [sys.executable, "-m", "outlay", "org", "update", "--plan", plan, "--data", str(data)],
        check=True,
        capture_output=True,
    )
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        sign_in(page, demo, role, plan)
        reader = Reader(page, demo.url)
        compared = 0
        for place in everybodys_places(reader).values():
            for state in (STATES["last month"], STATES["7 days"]):
                compared += reader.check(place, state)
        assert compared or role is Role.DEVELOPER


def everybodys_places(reader: Reader) -> dict[str, Place]:
    """The pages of a user who may see only a part."""
    if may_ask(reader):
        return places_of(reader)
    return {"my usage": Place("/me/usage", "/api/v1/analytics/me")}


def may_ask(reader: Reader) -> bool:
    """Whether a user may query the whole organization."""
    return reader.page.request.get(f"{reader.url}/api/v1/analytics/summary").status == 200


def sign_in(page: Page, demo: Demo, role: Role, plan: Plan) -> None:
    """Sign in as the owner, or as a newly invited user."""
    if role is Role.OWNER:
        page.goto(f"{demo.url}/login")
        page.get_by_label("E-mail address").fill(demo.email)
        page.get_by_label("Password").fill(demo.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/login" not in url)
        return
    answer = page.request.post(
        f"{demo.url}/api/v1/invitations",
        data={"email": f"{role}-{plan}@example.test", "role": role.value},
        headers={"Authorization": f"Bearer {demo.token}"},
    )
    assert answer.status < 300, answer.text()
    page.goto(answer.json()["url"])
    page.get_by_label("Name").fill(f"{role} {plan}")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("form button").first.click()
    page.wait_for_url(lambda url: "/invitation" not in url)
