"""The pages in a browser: first paint, drawn charts, weight, layout stability, and reaction
times."""

import gzip
import json
import signal
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright
from tests.browser import launch
from tests.e2e.pages import asker, every_page
from tests.program import kill_group, start

from outlay.web.dashboard.static_files import static_files

ROUNDS = 7
DAYS = 90
WATCH = """
window.seen = {drawn: 0, clicked: 0, shift: 0};
new MutationObserver(() => { window.seen.drawn = performance.now(); })
  .observe(document, {subtree: true, attributes: true, attributeFilter: ["data-drawn"]});
addEventListener("click", () => {
  window.seen.clicked = performance.now();
  window.seen.drawn = 0;
}, true);
new PerformanceObserver(list => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.seen.shift += one.value;
}).observe({type: "layout-shift", buffered: true});
"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"

TARGETS = {"first paint": 300, "charts drawn": 500, "tab": 60, "change": 200}


def run() -> list[str]:
    """The tables, as lines of Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        process = start(
            "demo", "--port", "0", "--data", Path(folder) / "d", "--days", str(DAYS), "--json"
        )
        try:
            assert process.stdout is not None
            server = json.loads(process.stdout.readline())
            with sync_playwright() as playwright:
                browser = launch(playwright)
                context = browser.new_context(viewport={"width": 1440, "height": 900})
                sign_in(context, server)
                lines = [*loads(context, server), "", *reactions(context, server)]
                browser.close()
            return lines
        finally:
            kill_group(process, signal.SIGTERM)


def sign_in(context: BrowserContext, server: dict[str, Any]) -> None:
    """Sign in through the form."""
    page = context.new_page()
    page.goto(f"{server['url']}/login")
    page.get_by_label("E-mail address").fill(server["ownerEmail"])
    page.get_by_label("Password").fill(server["ownerPassword"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/organization/analytics")
    page.close()


def loads(context: BrowserContext, server: dict[str, Any]) -> list[str]:
    """Every page, with a warm server and an empty browser cache."""
    lines = [
        "| page | first paint (ms) | charts drawn (ms) | KB | layout shift |",
        "|---|---|---|---|---|",
    ]
    worst = {"first paint": 0.0, "charts drawn": 0.0, "KB": 0.0, "shift": 0.0}
    pages = every_page(asker(server))
    for path in pages.values():
        load(context, server["url"] + path)  # server and browser are warm from here on
    for name, path in pages.items():
        rounds = [load(context, server["url"] + path) for _ in range(ROUNDS)]
        paint, drawn, size, shift = (
            statistics.median(column) for column in zip(*rounds, strict=True)
        )
        charts = f"{drawn:.0f}" if drawn else "–"
        lines.append(f"| {name} | {paint:.0f} | {charts} | {size:.0f} | {shift:.3f} |")
        for key, value in zip(worst, (paint, drawn, size, shift), strict=True):
            worst[key] = max(worst[key], value)
    scripts = [file.body for path, file in static_files().items() if path.endswith(".js")]
    packed = len(gzip.compress(b"".join(scripts), 9)) / 1000
    return [
        *lines,
        "",
        verdict("first paint", worst["first paint"], 300, "ms"),
        verdict("charts drawn", worst["charts drawn"], 500, "ms"),
        verdict("a page", worst["KB"], 120, "KB"),
        verdict("all our JavaScript, gzip", packed, 45, "KB"),
        verdict("layout shift", worst["shift"], 0.01, ""),
    ]


def load(context: BrowserContext, url: str) -> tuple[float, float, float, float]:
    """First paint, last drawn chart, kilobytes and layout shift of one visit."""
    page = context.new_page()
    page.add_init_script(WATCH)
    context.new_cdp_session(page).send("Network.clearBrowserCache")
    sizes: list[int] = []
    page.on(
        "response", lambda answer: sizes.append(int(answer.request.sizes()["responseBodySize"]))
    )
    page.goto(url)
    page.wait_for_load_state("networkidle")
    found = page.evaluate(f"[{PAINT}, window.seen.drawn, window.seen.shift]")
    page.close()
    return found[0], found[1], sum(sizes) / 1000, found[2]


def reactions(context: BrowserContext, server: dict[str, Any]) -> list[str]:
    """Times from a click to the last drawn chart."""
    pages = every_page(asker(server))
    cases: dict[str, tuple[str, str, list[str]]] = {
        "metric tab": (
            "tab",
            pages["organization-analytics"],
            ["[role=tab][data-metric=totalTokens]", "[role=tab][data-metric=cost]"],
        ),
        "Mappings / Canonical": (
            "tab",
            pages["project-analytics"],
            ["[data-view-tab=mapping]:visible", "[data-view-tab=model]:visible"],
        ),
        "group by": (
            "change",
            pages["organization-analytics"],
            ["a.segment[href*='groupBy=project']", "a.segment[href*='groupBy=model']"],
        ),
        "filter from the ranking": (
            "change",
            pages["organization-analytics"],
            [".ranking:not([hidden]) a.name", "a.filter"],
        ),
        "period": (
            "change",
            pages["users-and-groups"],
            ["a[data-preset='2']", "a[data-preset='4']"],
        ),
    }
    lines = ["| from the click to the charts | median (ms) | target |", "|---|---|---|"]
    for name, (kind, path, selectors) in cases.items():
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(server["url"] + path)
        page.wait_for_load_state("networkidle")
        times = [react(page, selectors[turn % len(selectors)]) for turn in range(ROUNDS + 3)]
        page.close()
        median, target = statistics.median(times[2:]), TARGETS[kind]
        state = "met" if median < target else "missed"
        lines.append(f"| {name} | {median:.0f} | under {target}: {state} |")
    return lines


def react(page: Page, selector: str) -> float:
    """Milliseconds from a click to the last drawn chart."""
    target = page.locator(selector).first
    target.evaluate("node => node.click()")
    for _ in range(200):
        page.wait_for_timeout(25)
        clicked, drawn = page.evaluate("[window.seen.clicked, window.seen.drawn]")
        if drawn > clicked:
            page.wait_for_timeout(60)  # others may follow
            clicked, drawn = page.evaluate("[window.seen.clicked, window.seen.drawn]")
            return float(drawn - clicked)
    raise AssertionError(f"nothing was drawn after a click on {selector}")


def verdict(what: str, worst: float, target: float, unit: str) -> str:
    """Whether the worst value of a kind is within its target."""
    state = "met" if worst < target else "**missed**"
    return f"- {what}: at most {worst:.3g} {unit}, to be under {target} {unit}: {state}"
