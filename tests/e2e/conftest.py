"""A browser with the demo."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.browser import launch
from tests.program import kill_group, start
from tests.shared import copy_of

ANALYTICS = "/organization/analytics"


@dataclass
class Demo:
    """The running demo and its API."""

    url: str
    token: str
    email: str
    password: str

    def ask(self, **params: Any) -> dict[str, Any]:
        """The answer of an endpoint that a page must agree with."""
        return self.get("/api/v1/analytics/activity", top=8, **params)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """The answer of an endpoint, with exact amounts."""
        answer = httpx.get(
            f"{self.url}{path}",
            params=params,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
        return found


def build_data(folder: Path) -> None:
    """Generate the usage of the demo, which takes ten times as long as serving it again."""
    with serving_demo(folder):
        pass


@contextmanager
def serving_demo(folder: Path) -> Iterator[Demo]:
    """`outlay demo` in its own process."""
    process = start("demo", "--port", "0", "--data", folder, "--days", "65", "--json")
    try:
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        yield Demo(found["url"], found["accessToken"], found["ownerEmail"], found["ownerPassword"])
    finally:
        kill_group(process, signal.SIGTERM)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo shared by the tests of this process."""
    with serving_demo(copy_of(tmp_path_factory, "demo", build_data)) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def signed_in(demo: Demo, browser: Browser) -> Any:
    """The cookies of a user who signed in through the form."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{demo.url}/login")
    page.get_by_label("E-mail address").fill(demo.email)
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{ANALYTICS}")
    state = context.storage_state()
    context.close()
    return state


@dataclass
class Watched:
    """A page, and everything that must not happen on it."""

    page: Page
    context: BrowserContext
    troubles: list[str]


@pytest.fixture
def watched(
    demo: Demo, browser: Browser, signed_in: Any, request: pytest.FixtureRequest
) -> Iterator[Watched]:
    """A page at 1440 px, or with a test's `options`; console errors and failed requests fail the
    test."""
    options = getattr(request, "param", {})
    context = browser.new_context(
        storage_state=signed_in, **{"viewport": {"width": 1440, "height": 900}, **options}
    )
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on(
        "console",
        lambda message: (
            troubles.append(message.text) if message.type in {"error", "warning"} else None
        ),
    )
    page.on(
        "request",
        lambda sent: troubles.append(sent.url) if not sent.url.startswith(demo.url) else None,
    )
    yield Watched(page, context, troubles)
    context.close()
    assert troubles == []


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page only."""
    return watched.page
