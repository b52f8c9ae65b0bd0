"""Helpers for tests of pages."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

SIZES = [{"width": 1440, "height": 900}, {"width": 390, "height": 844}]

LOOKS = pytest.mark.parametrize(
    "watched",
    [
        {"viewport": size, "color_scheme": scheme, "bypass_csp": True}
        for size in SIZES
        for scheme in ("light", "dark")
    ],
    indirect=True,
    ids=lambda options: f"{options['viewport']['width']}-{options['color_scheme']}",
)
"""Options of `watched` pages: wide and narrow, light and dark; scripts of the test may run."""

ONLY_VIOLATIONS = {"resultTypes": ["violations"]}
"""Listing passed rules as well takes twice as long."""

UNTIL_STILL = """() => Promise.allSettled(
  document.getAnimations()
    .filter(one => one.effect.getComputedTiming().endTime !== Infinity)
    .map(one => one.finished)
)"""
"""Dialogs and toasts fade in; the colours in between are not checked."""


def asker(server: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """A function that calls the API of a demo, given its line of JSON."""

    def ask(path: str, **params: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {server['accessToken']}"}
        answer = httpx.get(server["url"] + path, params=params, headers=headers)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    return ask


def every_page(ask: Any) -> dict[str, str]:
    """The paths of all usage pages by name; `ask` returns the answer of an endpoint."""
    project_id = ask("/api/v1/analytics/projects")["projects"][0]["projectId"]
    key_id = next(
        key["apiKeyId"]
        for key in ask("/api/v1/api-keys")["apiKeys"]
        if key["projectId"] == project_id
    )
    member_id = ask("/api/v1/analytics/members")["members"][0]["userId"]
    event_id = ask("/api/v1/requests", limit=1)["requests"][0]["eventId"]
    return {
        "organization-analytics": "/organization/analytics",
        "ranking": "/organization/ranking?groupBy=apiKey",
        "project-overview": f"/project/{project_id}",
        "project-analytics": f"/project/{project_id}/analytics",
        "project-keys": f"/project/{project_id}/keys",
        "key-statistics": f"/project/{project_id}/keys/{key_id}",
        "members": "/organization/members",
        "member": f"/organization/members/{member_id}",
        "users-and-groups": "/organization/users-and-groups",
        "report": "/organization/report",
        "reconciliation": "/organization/reconciliation",
        "reported-costs": "/organization/reported-costs",
        "dashboard": "/monitoring/dashboard",
        "users-analytics": "/monitoring/users",
        "requests": "/monitoring/requests",
        "request": f"/monitoring/requests?id={event_id}",
        "my-usage": "/me/usage",
        "audit-trail": "/monitoring/audit",
    }


def check_access(page: Page) -> None:
    """Check that nothing displayed violates accessibility rules."""
    page.evaluate(UNTIL_STILL)
    found = Axe().run(page, options=ONLY_VIOLATIONS).response["violations"]
    assert [
        (rule["id"], [node["html"][:160] for node in rule["nodes"]][:4]) for rule in found
    ] == [], page.url


def fill_in(page: Page, button: str, **fields: str) -> None:
    """Open a dialog, fill it in and submit it; `_` in a label stands for any character."""
    page.get_by_role("button", name=button, exact=True).first.click()
    dialog = page.locator("dialog[open]")
    for label, value in fields.items():
        control = dialog.get_by_label(re.compile(f"^{label.replace('_', '.')}"))
        if control.evaluate("node => node.tagName") == "SELECT":
            control.select_option(label=value)
        else:
            control.fill(value)
    dialog.locator("button:not([type=button])").click()


def take_secret(page: Page) -> str:
    """The secret that is shown once, copied with the button."""
    expect(page.locator("#secret")).to_be_visible()
    secret = page.locator("#secret-value").text_content()
    copy = page.locator("[data-copy=secret-value]")
    copy.click()
    expect(copy).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == secret
    page.get_by_role("button", name="Done").click()
    assert secret
    expect(page.locator("#secret-value")).to_have_text("")
    return secret
