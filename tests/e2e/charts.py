"""Helpers for tests of charts."""

import csv
import io
import re
from typing import Any

from playwright.sync_api import Download, Locator, Page, expect
from tests.e2e.conftest import ANALYTICS, Demo

LINES = "/organization/users-and-groups"
LINE = "#chart-users-cost-per-request"

READ = """chart => chart.data.points.map((_, index) => {
  chart.point(index, false);
  const of = node => [node.dataset.value, (node.querySelector("b") ?? node).textContent];
  return {
    total: of(chart.querySelector("[data-tip=total]")),
    rows: Object.fromEntries([...chart.querySelectorAll("[data-tip-key]")].map(
      row => [row.dataset.tipKey, of(row)])),
  };
})"""
"""The tooltip of each point: exact values and displayed text."""


def open_chart(page: Page, demo: Demo, query: str = "?preset=last-month") -> Locator:
    """The drawn chart of organization analytics."""
    page.goto(f"{demo.url}{ANALYTICS}{query}")
    expect(page.locator("usage-area")).to_have_attribute("data-drawn", re.compile("."))
    return page.locator("usage-area")


def data_of(page: Page, source: str) -> Any:
    """The data embedded for a chart."""
    return page.evaluate("id => JSON.parse(document.getElementById(id).textContent)", source)


def saved(page: Page, kind: str, card: str = ".chart-card") -> Download:
    """The CSV or PNG of the last chart or ranking of some cards."""
    tools = page.locator(f"{card} .tools").last
    tools.locator("summary").click()
    with page.expect_download() as download:
        tools.get_by_role("button", name=kind).click()
    return download.value


def rows_of(found: Download) -> list[list[str]]:
    """The rows of a CSV."""
    return list(csv.reader(io.StringIO(found.path().read_text())))
