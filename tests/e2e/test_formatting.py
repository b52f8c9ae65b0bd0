"""The browser's formatter against the same vectors as the server's."""

import json
from pathlib import Path

from playwright.sync_api import Page
from tests.e2e.conftest import ANALYTICS, Demo

from outlay.domain.money import render_usd
from outlay.web.dashboard.static_files import static_url

VECTORS = Path(__file__).parents[1] / "unit" / "web" / "format_vectors.json"


def test_browser_formats_numbers_like_the_server(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{ANALYTICS}")
    for name, cases in json.loads(VECTORS.read_text()).items():
        for given, expected in cases:
            # Exact numbers are sent as text.
            arguments = given if isinstance(given, list) else [str(given)]
            if name == "money":
                arguments = [render_usd(given)]
            found = page.evaluate(
                "async ([url, name, values]) => (await import(url))[name](...values)",
                [static_url("js/fmt.js"), name, arguments],
            )
            assert found == expected, (name, given)
