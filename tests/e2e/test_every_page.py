"""Properties of every page: weight, policy, stillness, accessibility, no dead ends."""

import gzip
import re
from typing import Any

from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo, Watched
from tests.e2e.pages import LOOKS, check_access, every_page

from outlay.web.dashboard.static_files import static_files

WATCH = (
    "window.shift = 0; window.violations = 0;"
    "new PerformanceObserver(list => { for (const one of list.getEntries()) "
    "if (!one.hadRecentInput) window.shift += one.value; })"
    ".observe({type: 'layout-shift', buffered: true});"
    "document.addEventListener('securitypolicyviolation', () => { window.violations += 1; });"
)


def settled(page: Page) -> None:
    """Wait until everything is drawn."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    for chart in page.locator("usage-area:visible, line-chart:visible").all():
        expect(chart).to_have_attribute("data-drawn", re.compile("."))


def test_scripts_are_small() -> None:
    scripts = [file.body for path, file in static_files().items() if path.endswith(".js")]

    assert len(gzip.compress(b"".join(scripts), 9)) < 45_000


def test_every_page_is_small_stable_and_csp_compliant(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.add_init_script(WATCH)
    browser = watched.context.new_cdp_session(page)
    for name, path in every_page(demo.get).items():
        sizes: list[int] = []

        def note(answer: Any, sizes: list[int] = sizes) -> None:
            sizes.append(int(answer.request.sizes()["responseBodySize"]))

        browser.send("Network.clearBrowserCache")  # as at a first visit
        page.on("response", note)
        page.goto(demo.url + path)
        settled(page)
        page.wait_for_load_state("networkidle")
        page.remove_listener("response", note)

        assert sum(sizes) < 122_000, (name, sum(sizes))
        assert page.evaluate("window.shift") < 0.01, name
        assert page.evaluate("window.violations") == 0, name


def test_page_does_not_move_while_it_arrives_slowly(watched: Watched, demo: Demo) -> None:
    """The one with cards side by side, which are painted one after the other then."""
    page, url = watched.page, demo.url + "/organization/users-and-groups"
    page.goto(url)  # scripts and styles are cached
    settled(page)
    page.add_init_script(WATCH)
    slow = {"offline": False, "latency": 0, "downloadThroughput": 8_000, "uploadThroughput": -1}
    watched.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    page.goto(url)
    assert page.evaluate("window.shift") < 0.01


def test_columns_of_the_request_log_do_not_depend_on_the_rows_that_have_arrived(
    watched: Watched, demo: Demo
) -> None:
    page = watched.page
    page.goto(demo.url + "/monitoring/requests")
    settled(page)
    places = """() => [...document.querySelectorAll("table.log thead th")]
      .map(head => Math.round(head.getBoundingClientRect().left))"""
    complete = page.evaluate(places)
    for count in (8, 2, 1):
        page.evaluate(
            "count => { const rows = document.querySelectorAll('table.log tbody tr');"
            " for (const row of [...rows].slice(count)) row.remove(); }",
            count,
        )
        found = page.evaluate(places)
        assert [abs(x - y) <= 8 for x, y in zip(found, complete, strict=True)] == [True] * 9, (
            found,
            complete,
        )


@LOOKS
def test_every_page_is_accessible_and_fits(watched: Watched, demo: Demo) -> None:
    page = watched.page
    for name, path in every_page(demo.get).items():
        page.goto(demo.url + path)
        settled(page)
        check_access(page)
        width = page.viewport_size["width"] if page.viewport_size else 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
