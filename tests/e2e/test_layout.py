"""Layout at any width: nothing overflows, nothing covers text, no gaps."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from tests.e2e.conftest import Demo, Watched
from tests.e2e.pages import every_page
from tests.e2e.test_every_page import settled
from tests.unit.web.test_static_files import bundled

from outlay.web.dashboard.navigation import SETTINGS
from outlay.web.dashboard.static_files import static_files

NARROWEST = {"viewport": {"width": 320, "height": 256}}
"""1280 by 1024 pixels at 400 %."""

TEXT_UNDER_SPARKLINES = """() => [...document.querySelectorAll('.kpi')].flatMap((card) => {
  const spark = card.querySelector('.spark');
  if (!spark?.getClientRects().length) return [];
  const line = spark.getBoundingClientRect();
  return [...card.querySelectorAll('.kpi-title, .kpi-value, .kpi-facts')].filter((node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    const text = range.getBoundingClientRect();
    return text.right > line.left + 1 && text.left < line.right - 1
      && text.bottom > line.top + 1 && text.top < line.bottom - 1;
  }).map((node) => node.textContent);
})"""

RULES = """(text) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return [...sheet.cssRules].map((rule) => rule.cssText);
}"""

CUSTOM_PROPERTY = re.compile(r"(--[\w-]+:)([^;}]*)")
"""The value of a custom property keeps its white space."""


def as_parsed(rule: str) -> str:
    """A rule without the white space that browsers keep in values with custom properties."""
    bare = CUSTOM_PROPERTY.sub(lambda found: found[1] + re.sub(r"\s+", "", found[2]), rule)
    return re.sub(r",\s+", ",", bare)


ROWS = """(node) => {
  const boxes = [...node.children].map((child) => child.getBoundingClientRect());
  const rows = Object.values(Object.groupBy(boxes, (box) => Math.round(box.top)));
  return rows.map((row) => ({
    left: Math.min(...row.map((box) => box.left)),
    right: Math.max(...row.map((box) => box.right)),
    heights: row.map((box) => Math.round(box.height)),
  }));
}"""
"""The visual rows of the children of an element."""


INTO_VIEW = """async (panel) => {
  await new Promise((done) => { requestAnimationFrame(() => setTimeout(done)); });
  const { left, right } = panel.getBoundingClientRect();
  return { left, right, width: document.documentElement.clientWidth };
}"""
"""The sides of an opened panel once it has moved, and the width of the window."""


def rows_of(page: Page, selector: str) -> list[dict[str, Any]]:
    """The visual rows of the first element that matches a selector."""
    found: list[dict[str, Any]] = page.locator(selector).first.evaluate(ROWS)
    return found


@pytest.mark.parametrize("watched", [NARROWEST], indirect=True, ids=["320"])
def test_every_page_fits_at_400_percent(watched: Watched, demo: Demo) -> None:
    page = watched.page
    pages = {**every_page(demo.get), **{item.path: item.path for item in SETTINGS}}
    for name, path in pages.items():
        page.goto(demo.url + path)
        settled(page)
        width = page.evaluate("document.documentElement.clientWidth")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_cards_separate_text_and_sparkline(page: Page, demo: Demo) -> None:
    pages = every_page(demo.get)
    for name in ("organization-analytics", "users-and-groups", "dashboard", "key-statistics"):
        page.goto(demo.url + pages[name])
        settled(page)
        for width in (320, 390, 768, 900, 1000, 1101, 1440, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(TEXT_UNDER_SPARKLINES) == [], (name, width)
            rows = rows_of(page, ".cards")
            assert len({round(row["right"]) for row in rows}) == 1, (name, width, rows)
            assert all(len(set(row["heights"])) == 1 for row in rows), (name, width, rows)


def test_adjacent_cards_have_equal_heights(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/monitoring/dashboard")
    settled(page)
    for group in (".halves", ".thirds", ".quarters"):
        rows = rows_of(page, group)
        assert len(rows) == 1, group
        assert len(set(rows[0]["heights"])) == 1, (group, rows)


def test_page_is_centred_on_wide_screens(page: Page, demo: Demo) -> None:
    page.set_viewport_size({"width": 2560, "height": 1200})
    for path in ("/organization/analytics", "/organization/report"):
        page.goto(demo.url + path)
        settled(page)
        left, right, edge = page.evaluate(
            """() => {
            const box = document.querySelector('.card').parentElement.getBoundingClientRect();
            const sidebar = document.querySelector('.sidebar').getBoundingClientRect();
            const right = document.body.getBoundingClientRect().right;
            return [box.left - sidebar.right, right - box.right, box.width];
            }"""
        )
        assert abs(left - right) < 2, path
        assert edge <= 1440, path


@pytest.mark.parametrize(
    "watched", [{"viewport": {"width": 390, "height": 844}}], indirect=True, ids=["390"]
)
def test_chart_buttons_are_beside_the_title_on_phones(watched: Watched, demo: Demo) -> None:
    page = watched.page
    for path in ("/organization/analytics", "/organization/users-and-groups"):
        page.goto(demo.url + path)
        settled(page)
        for head in page.locator(".card-head:has(.tools):visible").all():
            title = head.locator("h2").bounding_box()
            tools = head.locator(".tools").bounding_box()
            assert title
            assert tools
            assert tools["y"] < title["y"] + title["height"], head.inner_text()


@pytest.mark.parametrize("width", [390, 768])
def test_opened_panels_are_within_the_window(page: Page, demo: Demo, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    pages = every_page(demo.get)
    for name in ("users-analytics", "dashboard", "members", "project-keys", "requests"):
        page.goto(demo.url + pages[name])
        settled(page)
        for button in page.locator("main :is(.range, .menu) > summary:visible").all():
            button.evaluate("button => { button.parentElement.open = true; }")
            box = button.locator("xpath=following-sibling::*").evaluate(INTO_VIEW)
            assert box["left"] >= 0, (name, button.inner_text())
            assert box["right"] <= box["width"], (name, button.inner_text())
            button.evaluate("button => { button.parentElement.open = false; }")


def test_report_charts_keep_their_font_size(page: Page, demo: Demo) -> None:
    for width in (320, 390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{demo.url}/organization/report")
        heights = page.locator(".columns text").evaluate_all(
            "nodes => nodes.map((node) => node.getBoundingClientRect().height)"
        )
        assert heights
        assert min(heights) > 9, width


@pytest.mark.parametrize(
    "watched", [{"viewport": {"width": 900, "height": 500}}], indirect=True, ids=["900"]
)
def test_sticky_header_is_below_the_top_bar(watched: Watched, demo: Demo) -> None:
    page = watched.page
    for path, selector in (
        ("/monitoring/users", ".users thead"),
        ("/organization/users-and-groups", ".sticky"),
    ):
        page.goto(demo.url + path)
        settled(page)
        page.evaluate("scrollTo(0, 600)")
        bar = page.locator(".topbar").bounding_box()
        head = page.locator(selector).bounding_box()
        assert bar
        assert head
        assert head["y"] == pytest.approx(bar["y"] + bar["height"], abs=2), path


@pytest.mark.parametrize("path", ["css/app.css", "css/print.css"])
def test_style_sheets_are_sent_with_the_rules_of_their_source(page: Page, path: str) -> None:
    folder = Path(str(files("outlay.web").joinpath("static")))
    source, sent = bundled(folder, path).decode(), static_files()[path].body.decode()

    rules, kept = (
        [as_parsed(rule) for rule in page.evaluate(RULES, sheet)] for sheet in (source, sent)
    )

    assert rules == kept
    assert len(sent) < len(source)
