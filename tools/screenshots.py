"""Screenshots of every page and state, at 1440 and 390 px, light and dark, into ./screenshots/.

Starts the demo on a free port, or uses a running one, given its line of JSON: `python -m
tools.screenshots [--server demo.json]`. With `--picture`, only the picture of README and
the overview of the documentation, into docs/images.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from tests.browser import launch
from tests.e2e.pages import asker, every_page

from outlay.web.dashboard.navigation import SETTINGS

OUT = Path("screenshots")
PICTURE = Path("docs/images/organization-analytics.png")
ANALYTICS = "/organization/analytics"
STATES = {
    "by-project-tokens": f"{ANALYTICS}?groupBy=project&metric=totalTokens&preset=3m",
    "by-api-key": f"{ANALYTICS}?groupBy=apiKey",
    "by-group": f"{ANALYTICS}?groupBy=group&timezone=Asia%2FKathmandu",
    "last-24-hours": f"{ANALYTICS}?preset=24h&groupBy=app",
    "filtered": f"{ANALYTICS}?provider=anthropic&app=claude-code",
    "empty-period": f"{ANALYTICS}?from=2024-01-01&to=2024-01-31",
    "bad-zone": f"{ANALYTICS}?timezone=Mars/Olympus",
    "users-and-groups-contradiction": (
        "/organization/users-and-groups?userId=nobody&projectId=nothing&preset=7d"
    ),
    "users-analytics-nobody": "/monitoring/users?search=nobody+of+that+name&density=compact",
    "requests-failed": "/monitoring/requests?status=upstream_error",
    **{f"settings-{item.path.rpartition('/')[2]}": item.path for item in SETTINGS},
    "not-found": "/nowhere",
}


@contextmanager
def demo_server(given: str | None) -> Iterator[dict[str, Any]]:
    """The JSON line of a running demo."""
    if given:
        yield json.loads(Path(given).read_text())
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "outlay",
            "demo",
            "--port",
            "0",
            "--data",
            folder,
            "--json",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield json.loads(process.stdout.readline())
            finally:
                process.terminate()


def sign_in(page: Page, server: dict[str, Any]) -> None:
    """Sign in through the form, like a user."""
    page.goto(f"{server['url']}/login")
    page.get_by_label("E-mail address").fill(server["ownerEmail"])
    page.get_by_label("Password").fill(server["ownerPassword"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/organization/analytics")


def shoot(browser: Browser, server: dict[str, Any], width: int, scheme: str) -> None:
    """Take pictures of all pages and states at one width and theme."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2 if width < 500 else 1,
    )
    page = context.new_page()
    page.goto(f"{server['url']}/login")
    save(page, f"login-{scheme}-{width}")
    sign_in(page, server)
    for name, path in {**every_page(asker(server)), **STATES}.items():
        page.goto(server["url"] + path)
        page.evaluate("document.fonts.ready")
        save(page, f"{name}-{scheme}-{width}")
    point_at_chart(page, server)
    save(page, f"state-hover-{scheme}-{width}")
    page.get_by_role("button", name="View as table").first.click()
    save(page, f"state-table-{scheme}-{width}")
    page.locator(".filter-menu summary").nth(3).click()
    page.wait_for_timeout(300)
    save(page, f"state-filter-{scheme}-{width}", full=False)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.wait_for_timeout(300)
    save(page, f"state-palette-{scheme}-{width}", full=False)
    page.keyboard.press("Escape")
    page.locator(".range summary").click()
    save(page, f"state-period-{scheme}-{width}", full=False)
    context.close()


def point_at_chart(page: Page, server: dict[str, Any]) -> None:
    """Opens organization analytics, with the pointer on a day of the chart."""
    page.goto(server["url"] + ANALYTICS)
    page.evaluate("document.fonts.ready")
    box = page.locator(".plot").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 120)


def take_picture(browser: Browser, server: dict[str, Any]) -> None:
    """The picture of README."""
    page = browser.new_page(viewport={"width": 1440, "height": 1180}, color_scheme="light")
    sign_in(page, server)
    point_at_chart(page, server)
    page.screenshot(path=PICTURE)


def save(page: Page, name: str, *, full: bool = True) -> None:
    """Save one picture."""
    page.screenshot(path=OUT / f"{name}.png", full_page=full)


def shoot_all(browser: Browser, server: dict[str, Any]) -> None:
    """Everything at both widths, light and dark."""
    OUT.mkdir(exist_ok=True)
    for width in (1440, 390):
        for scheme in ("light", "dark"):
            shoot(browser, server, width, scheme)
    print(f"{len(list(OUT.glob('*.png')))} screenshots in {OUT}/")


def main() -> None:
    """Take the picture of README, or all pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server")
    parser.add_argument("--picture", action="store_true")
    arguments = parser.parse_args()
    with demo_server(arguments.server) as server, sync_playwright() as playwright:
        browser = launch(playwright)
        take = take_picture if arguments.picture else shoot_all
        take(browser, server)
        browser.close()


main()
