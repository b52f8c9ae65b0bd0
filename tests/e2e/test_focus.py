"""Keyboard focus: it is never lost, whatever is activated (WCAG 2.4.3)."""

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.pages import every_page

LINKS = "#page a[data-go]:visible"
ON = "node => document.activeElement === node"
IS_NOWHERE = "document.activeElement === null || document.activeElement === document.body"
MOST_ROWS = 2
"""Maximum number of links of one kind that are tried: the rows of a list are alike."""

KIND = """node => [
  node.closest("[class]:not(a)")?.className, node.closest("tr") ? "row" : "",
  node.closest("svg") ? "bar" : "", node.closest("tr,svg,ul") ? "" : node.textContent,
].join()"""

QUICK = ("organization-analytics", "requests")
SLOW = (
    "project-overview",
    "key-statistics",
    "members",
    "users-and-groups",
    "users-analytics",
    "dashboard",
    "request",
)


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.long) for name in SLOW)]
)
def test_every_link_keeps_the_focus(page: Page, demo: Demo, name: str) -> None:
    address = demo.url + every_page(demo.get)[name]
    page.goto(address)
    tried: dict[str, int] = {}
    for index in range(page.locator(LINKS).count()):
        link = page.locator(LINKS).nth(index)
        kind = link.evaluate(KIND)
        tried[kind] = tried.get(kind, 0) + 1
        if tried[kind] > MOST_ROWS:
            continue
        target = link.get_attribute("href")
        page.evaluate("window.isKept = true")
        link.focus()
        assert link.evaluate(ON)
        page.keyboard.press("Enter")
        expect(page.locator("#page")).not_to_have_attribute("aria-busy", "true")
        # Another project is another document: it starts at its top.
        if page.evaluate("window.isKept"):
            assert not page.evaluate(IS_NOWHERE), f"nowhere after {target}"
        page.goto(address)
    assert tried
