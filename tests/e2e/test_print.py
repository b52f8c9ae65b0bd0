"""Printed pages: what Chromium prints is read back from the PDF, box by box."""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pypdfium2
import pypdfium2.raw as raw
import pytest
from playwright.sync_api import Browser, Page
from tests.e2e.conftest import Demo
from tests.e2e.pages import every_page
from tests.e2e.test_every_page import settled

from outlay.web.dashboard.templating import THEME_COOKIE

FORMATS = ("A4", "Letter")

TOLERANCE = 1.0
"""Points by which boxes may overlap: descenders extend into the line below."""

EDGE = 36.0
"""Points that every page keeps free at its sides, about half an inch."""

MOST_PAGES = {"users-and-groups": 5, "requests": 4, "request": 4, "audit-trail": 4}
"""Maximum number of sheets of a page of the demo; all others have at most three."""

HEADS = {"members": "Error rate", "requests": "Latency"}
"""Pages with a table on several sheets, and a word in the table's head."""

PRINTABLE = (
    "report",
    "organization-analytics",
    "project-overview",
    "project-analytics",
    "key-statistics",
    "members",
    "member",
    "users-and-groups",
    "my-usage",
)
"""The pages that are likely to be printed."""


@dataclass(frozen=True)
class Box:
    """A piece of text with its position, in points from the lower left corner."""

    left: float
    bottom: float
    right: float
    top: float
    text: str

    def meets(self, other: "Box") -> bool:
        """Whether the two overlap in print."""
        across = min(self.right, other.right) - max(self.left, other.left)
        along = min(self.top, other.top) - max(self.bottom, other.bottom)
        return across > TOLERANCE and along > TOLERANCE


@dataclass(frozen=True)
class Sheet:
    """A printed page."""

    width: float
    height: float
    boxes: list[Box]
    text: str
    inks: set[tuple[int, int, int]]
    """The colours of its text."""

    @property
    def body(self) -> list[Box]:
        """The boxes above the footer."""
        return [box for box in self.boxes if box.bottom > 48]

    @property
    def filled(self) -> float:
        """The fraction of its height that has text, from the top."""
        return 1 - min((box.bottom for box in self.body), default=self.height) / self.height


def inks_of(page: pypdfium2.PdfPage) -> set[tuple[int, int, int]]:
    """The fill colours of text."""
    found = set()
    for part in page.get_objects(filter=[raw.FPDF_PAGEOBJ_TEXT]):
        channels = [ctypes.c_uint() for _ in range(4)]
        raw.FPDFPageObj_GetFillColor(part, *channels)
        red, green, blue, _ = (channel.value for channel in channels)
        found.add((red, green, blue))
    return found


def sheets_of(pdf: bytes) -> list[Sheet]:
    """The pages of a PDF as text in boxes."""
    document = pypdfium2.PdfDocument(pdf)
    found = []
    for page in document:
        words = page.get_textpage()
        boxes = []
        for index in range(words.count_rects()):
            left, bottom, right, top = words.get_rect(index)
            text = words.get_text_bounded(left, bottom, right, top)
            if text.strip():
                boxes.append(Box(left, bottom, right, top, text))
        width, height = page.get_size()
        found.append(Sheet(width, height, boxes, words.get_text_bounded(), inks_of(page)))
    document.close()
    return found


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    """The theme that the user has chosen; the system prefers the same."""
    return str(request.param)


@pytest.fixture(scope="module")
def paper(demo: Demo, browser: Browser, signed_in: Any, scheme: Any) -> Iterator[Page]:
    """A page of a user who has chosen light or dark before printing."""
    context = browser.new_context(
        storage_state=signed_in,
        viewport={"width": 1440, "height": 900},
        color_scheme=scheme,
    )
    context.add_cookies([{"name": THEME_COOKIE, "value": scheme, "url": demo.url}])
    yield context.new_page()
    context.close()


def print_page(page: Page, url: str, paper_format: str) -> list[Sheet]:
    """The printed sheets of a page."""
    page.goto(url)
    settled(page)
    return sheets_of(page.pdf(format=paper_format))


def check_sheets(name: str, sheets: list[Sheet], foot: str) -> None:
    """Check the properties of every printed page."""
    assert len(sheets) <= MOST_PAGES.get(name, 3), name
    for number, sheet in enumerate(sheets, 1):
        where = f"{name}, page {number}"
        over = [(a.text, b.text) for a, b in combinations(sheet.boxes, 2) if a.meets(b)]
        assert over == [], where
        cut = [
            box.text
            for box in sheet.boxes
            if box.left < EDGE or box.right > sheet.width - EDGE or box.bottom < 12
        ]
        assert cut == [], where
        assert f"Page {number} of {len(sheets)}" in sheet.text, where
        assert foot in re.sub(r"\s+", " ", sheet.text), where
        # Dark pages print dark text, too: their own text colour would be too light.
        assert all(min(ink) < 128 for ink in sheet.inks), (where, sheet.inks)
        assert sheet.filled > (0.1 if number == len(sheets) else 0.5), where


def foot_of(page: Page) -> str:
    """The organization and the dates that each printed page must have."""
    organization = page.locator(".topbar strong").text_content() or ""
    dates = page.locator(".report-date, .range-dates").first.text_content() or ""
    found = re.search(r"\w{3} \d+[^A]*\d{4}", dates)
    assert organization
    assert found
    running = page.locator("html").get_attribute("data-running") or ""
    assert running.startswith(organization)
    assert found[0] in running
    return running


def test_printed_pages_have_no_overlaps_and_a_title(paper: Page, demo: Demo, scheme: str) -> None:
    pages = every_page(demo.get)
    for place, name in enumerate(PRINTABLE):
        # Every page is printed on both paper sizes, on one of them in a single theme.
        paper_format = FORMATS[(place + (scheme == "dark")) % 2]
        sheets = print_page(paper, demo.url + pages[name], paper_format)
        check_sheets(name, sheets, foot_of(paper))


@pytest.mark.parametrize("name", HEADS)
def test_table_over_pages_repeats_its_header_not_its_total(
    paper: Page, demo: Demo, name: str
) -> None:
    sheets = print_page(paper, demo.url + every_page(demo.get)[name], "Letter")
    assert len(sheets) > 1
    assert all(HEADS[name] in sheet.text for sheet in sheets)
    if name == "members":
        assert sum(sheet.text.count("Total") for sheet in sheets) == 1


@pytest.mark.long
@pytest.mark.parametrize("paper_format", FORMATS)
def test_every_page_prints_in_every_period(paper: Page, demo: Demo, paper_format: str) -> None:
    for name, path in every_page(demo.get).items():
        for period in ("", "preset=24h", "preset=all&groupBy=group"):
            if period and name != "organization-analytics":
                continue
            sheets = print_page(paper, f"{demo.url}{path}?{period}".rstrip("?"), paper_format)
            running = paper.locator("html").get_attribute("data-running") or ""
            check_sheets(name, sheets, running)
