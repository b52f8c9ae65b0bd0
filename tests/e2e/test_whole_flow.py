"""From an empty data directory to a request with its cost, in a browser, and sign-out."""

import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.pages import check_access, fill_in, take_secret
from tests.program import kill_group, run, start, wait_for_server
from tests.upstream import Upstream, running_upstream

PASSWORD = "several words are best"
OTHER_PASSWORD = "another handful of words"


@dataclass
class Fresh:
    """A new installation, its upstream, and its users."""

    url: str
    setup: str
    data: Path
    upstream: Upstream
    browser: Browser
    troubles: list[str] = field(default_factory=list)

    def visitor(self) -> Page:
        """A user with a separate browser."""
        context = self.browser.new_context(
            viewport={"width": 1440, "height": 900},
            timezone_id="Europe/Vienna",
            permissions=["clipboard-read", "clipboard-write"],
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("console", self._hear)
        return page

    def _hear(self, message: Any) -> None:
        if message.type in {"error", "warning"} and "the server responded with" not in message.text:
            self.troubles.append(message.text)


@pytest.fixture
def fresh(tmp_path: Path, browser: Browser) -> Iterator[Fresh]:
    """`outlay serve` on an empty directory."""
    data = tmp_path / "data"
    process = start("serve", "--data", data, "--port", "0")
    try:
        info = wait_for_server(data, process)
        assert process.stdout is not None
        setup = process.stdout.readline().strip()
        with running_upstream() as upstream:
            opened = Fresh(info["url"], setup, data, upstream, browser)
            yield opened
            assert opened.troubles == []
    finally:
        kill_group(process, signal.SIGTERM)


def ask(fresh: Fresh, key: str) -> openai.OpenAI:
    """A client like that of an application."""
    return openai.OpenAI(base_url=f"{fresh.url}/v1", api_key=key, max_retries=0)


def until(condition: Callable[[], bool]) -> None:
    """Wait a few seconds for work of another thread."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_complete_user_journey(fresh: Fresh) -> None:
    owner = fresh.visitor()

    # The first owner, by the link that the server printed; errors are shown at their fields.
    owner.goto(fresh.setup)
    check_access(owner)
    owner.get_by_label("Organization").fill("Acme Corp")
    expect(owner.get_by_label("Time zone")).to_have_value("Europe/Vienna")  # the browser's own
    owner.get_by_label("Your name").fill("Olga Owner")
    owner.get_by_label("E-mail address").fill("olga@example.test")
    owner.get_by_label("Password").fill("too short")
    owner.get_by_role("button", name="Create").click()
    expect(owner.locator("#password-error")).to_contain_text("15")
    owner.get_by_label("Time zone").select_option("Europe/Berlin")
    owner.get_by_label("Password").fill(PASSWORD)
    owner.get_by_role("button", name="Create").click()
    expect(owner.get_by_role("heading", name="No requests yet")).to_be_visible()
    check_access(owner)
    owner.set_viewport_size({"width": 390, "height": 844})
    width = owner.evaluate("document.documentElement.clientWidth")
    assert owner.evaluate("document.documentElement.scrollWidth") <= width
    owner.set_viewport_size({"width": 1440, "height": 900})
    assert httpx.get(fresh.setup, headers={"Accept": "text/html"}).status_code == 404

    # An upstream, a project.
    owner.get_by_role("link", name="Upstreams").first.click()
    fill_in(owner, "New upstream", Provider="openai", Base_URL="not an address")
    expect(owner.locator("dialog[open] .field-error")).to_be_visible()
    owner.locator("dialog[open]").get_by_label("Base URL").fill(fresh.upstream.url)
    owner.locator("dialog[open]").get_by_label("Secret").fill("sk-of-the-provider")
    owner.locator("dialog[open]").get_by_role("button", name="Create").click()
    expect(owner.get_by_role("cell", name="…ider")).to_be_visible()
    assert "sk-of-the-provider" not in owner.content()
    owner.get_by_role("link", name="Projects").click()
    fill_in(owner, "New project", Name="Checkout")
    expect(owner.get_by_role("rowheader", name="Checkout")).to_be_visible()
    expect(owner.locator(".switcher summary")).to_contain_text("Checkout")  # in the sidebar, too

    # A person is invited and joins.
    owner.locator(".subnav").get_by_role("link", name="Members").click()
    fill_in(owner, "Invite", E_mail_address="not an address")
    expect(owner.locator("dialog[open] .field-error")).to_be_visible()
    owner.locator("dialog[open]").get_by_label("E-mail address").fill("dev@example.test")
    owner.locator("dialog[open]").get_by_role("button", name="Create link").click()
    link = take_secret(owner)
    expect(owner.get_by_role("rowheader", name="dev@example.test")).to_be_visible()
    developer = fresh.visitor()
    developer.goto(link)
    check_access(developer)
    developer.get_by_label("Your name").fill("Dev Loper")
    developer.get_by_label("Password").fill("too short")
    developer.get_by_role("button", name="Join").click()
    expect(developer.locator("#password-error")).to_contain_text("15")
    developer.get_by_label("Password").fill(OTHER_PASSWORD)
    developer.get_by_role("button", name="Join").click()
    expect(developer.get_by_role("heading", name="My usage")).to_be_visible()
    assert httpx.get(link, headers={"Accept": "text/html"}).status_code == 404
    expect(developer.get_by_role("link", name="Audit")).to_have_count(0)

    # They create a key, shown once, and use it. The owner's page has waited for the request.
    owner.goto(f"{fresh.url}/organization/analytics")
    expect(owner.locator(".steps .is-done")).to_have_count(2)
    developer.goto(f"{fresh.url}/settings/keys")
    expect(developer.get_by_role("link", name="Members", exact=True)).to_have_count(0)
    fill_in(developer, "New key", Description="laptop")
    expect(developer.locator("#secret-snippet")).to_contain_text('"content": "Hello"')
    snippet = developer.locator("#secret-snippet").text_content() or ""
    key = take_secret(developer)
    assert f'-H "Authorization: Bearer {key}"' in snippet
    expect(owner.locator(".steps .is-done")).to_have_count(3)
    assert key.startswith("otl_")
    assert key not in developer.content()
    until(lambda: works(fresh, key))
    assert fresh.upstream.last.headers["authorization"] == "Bearer sk-of-the-provider"

    expect(owner.locator(".kpi").first).to_be_visible()  # without a reload

    # Both see the request; the owner sees its exact cost.
    developer.goto(f"{fresh.url}/me/usage")
    until(lambda: bool(developer.reload()) and developer.get_by_text("gpt-5.5").count() > 0)
    check_access(developer)
    owner.goto(f"{fresh.url}/organization/analytics?groupBy=project")
    expect(owner.locator('[data-ranking="cost"] tbody tr').first).to_contain_text("Checkout")
    check_access(owner)
    shown = owner.locator(".kpi-value").first.get_attribute("title") or ""
    exact = owner.evaluate(
        "fetch('/api/v1/analytics/summary', {headers: {Accept: 'application/json'}})"
        ".then(answer => answer.text())"
    )
    cost = re.search(r'"cost":([0-9.e-]+)', exact)
    assert cost is not None
    assert float(cost[1]) > 0
    assert f"{float(cost[1]):.12f}".rstrip("0") in shown.replace(",", "")

    # The owner revokes the key: it is rejected within a moment.
    owner.goto(f"{fresh.url}/settings/keys")
    owner.get_by_label("More for laptop").click()
    owner.get_by_role("button", name="Revoke").click()
    expect(owner.locator("#confirm-text")).to_contain_text("laptop")
    owner.get_by_role("button", name="Cancel").last.click()
    assert works(fresh, key)
    owner.get_by_label("More for laptop").click()
    owner.get_by_role("button", name="Revoke").click()
    owner.locator("#confirm-button").click()
    expect(owner.get_by_text("revoked", exact=True)).to_be_visible()
    until(lambda: not works(fresh, key))

    # Everything is recorded, and the developer can be removed.
    owner.get_by_role("link", name="Audit").click()
    expect(owner.locator(".trail li").first).to_contain_text("Olga Owner revoked an API key laptop")
    expect(owner.locator(".trail")).to_contain_text("Dev Loper created an API key laptop")
    assert "sk-of-the-provider" not in owner.content()
    check_access(owner)
    assert run("audit", "verify", "--data", fresh.data).returncode == 0
    owner.goto(f"{fresh.url}/settings/members")
    owner.get_by_role("row", name="Dev Loper").get_by_role("button", name="Remove").click()
    owner.locator("#confirm-button").click()
    expect(owner.get_by_role("rowheader", name="Dev Loper")).to_have_count(0)
    developer.goto(f"{fresh.url}/me/usage")
    expect(developer.get_by_role("button", name="Sign in")).to_be_visible()


def works(fresh: Fresh, key: str) -> bool:
    """Whether a client gets an answer with a key; anything but a refusal is an error."""
    with ask(fresh, key) as client:
        try:
            client.chat.completions.create(
                model="openai/gpt-5.5", messages=[{"role": "user", "content": "Hello"}]
            )
        except openai.AuthenticationError:
            return False
    return True
