"""Pictures of charts: complete and in the same colours as on the page."""

import itertools
import re
import struct
import zlib
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.charts import open_chart, saved
from tests.e2e.conftest import Demo, Watched

from outlay.web.dashboard.formatting import format_count
from outlay.web.dashboard.static_files import static_url

PLACED = """async ([url, chart, title]) => {
  const {compose} = await import(url);
  const {width, height, labels, family} = compose(document.getElementById(chart), title, "About");
  const context = document.createElement("canvas").getContext("2d");
  const boxes = labels.map(one => {
    context.font = `${one.weight} ${one.size}px ${family}`;
    const length = context.measureText(one.text).width;
    const left = {end: one.x - length, middle: one.x - length / 2}[one.anchor] ?? one.x;
    return {text: one.text, left, right: left + length, top: one.y - one.size, bottom: one.y + 3};
  });
  return {width, height, family, boxes};
}"""


@pytest.mark.parametrize("width", [1440, 390])
def test_image_text_is_not_cut_or_covered(page: Page, demo: Demo, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_chart(page, demo, "?preset=last-month&metric=totalTokens")
    placed = page.evaluate(PLACED, [static_url("js/picture.js"), "chart-model", "Tokens by model"])

    assert "Geist" in placed["family"]
    for box in placed["boxes"]:
        assert box["left"] >= 0, box
        assert box["right"] <= placed["width"], box
        assert box["top"] >= 0, box
        assert box["bottom"] <= placed["height"], box
    for one, other in itertools.combinations(placed["boxes"], 2):
        assert (
            one["right"] <= other["left"]
            or other["right"] <= one["left"]
            or one["bottom"] <= other["top"]
            or other["bottom"] <= one["top"]
        ), (one, other)
    texts = " ".join(box["text"] for box in placed["boxes"])
    assert "Acme" in texts
    tokens = demo.ask(preset="last-month")["totals"]["totalTokens"]
    assert f"Total {format_count(tokens)}" in texts
    about = page.locator(".chart-card [data-about]").get_attribute("data-about")
    assert about == "Oct 1 – Oct 31, 2026, UTC"


@pytest.mark.parametrize(
    "watched",
    [{"color_scheme": scheme} for scheme in ("light", "dark")],
    indirect=True,
    ids=lambda options: options["color_scheme"],
)
def test_image_has_the_chart_in_its_colours(watched: Watched, demo: Demo) -> None:
    page = watched.page
    open_chart(page, demo)
    for card, name in ((".chart-card", "cost-by-model-over-time"), (".panel", "cost-by-model")):
        download = saved(page, "PNG", card)
        assert download.suggested_filename == f"{name}.png"
        width, height, colours = read_png(download.path())
        assert width > 800
        assert height > 300
        band = page.locator(".fill-1").first.evaluate("node => getComputedStyle(node).fill")
        red, green, blue = map(int, re.findall(r"\d+", band))
        assert (red, green, blue) in colours


def test_image_is_the_same_while_values_are_shown(page: Page, demo: Demo) -> None:
    open_chart(page, demo)
    drawn = saved(page, "PNG").path().read_bytes()
    page.locator(".chart-card [data-chart-do=table]").click()
    expect(page.locator(".chart-card .data-table")).to_be_visible()

    assert saved(page, "PNG").path().read_bytes() == drawn
    expect(page.locator(".chart-card .data-table")).to_be_visible()
    expect(page.locator("usage-area svg.plot")).to_have_count(0)


def read_png(path: Path) -> tuple[int, int, set[tuple[int, int, int]]]:
    """Width, height and colours of an 8-bit RGB or RGBA picture without interlacing."""
    body = path.read_bytes()
    assert body.startswith(b"\x89PNG")
    width, height, depth, kind = struct.unpack(">IIBB", body[16:26])
    assert depth == 8
    size = {2: 3, 6: 4}[kind]
    packed, place = b"", 8
    while place < len(body):
        (length,) = struct.unpack(">I", body[place : place + 4])
        if body[place + 4 : place + 8] == b"IDAT":
            packed += body[place + 8 : place + 8 + length]
        place += length + 12
    raw = zlib.decompress(packed)
    line = bytearray(width * size)
    colours: set[tuple[int, int, int]] = set()
    for row in range(height):
        start = row * (width * size + 1)
        line = unfiltered(
            raw[start], bytearray(raw[start + 1 : start + 1 + width * size]), line, size
        )
        if row % 8 == 0:
            colours.update(zip(line[0::size], line[1::size], line[2::size], strict=True))
    return width, height, colours


def unfiltered(kind: int, line: bytearray, above: bytearray, size: int) -> bytearray:
    """A line of a PNG as it was before filtering (PNG specification, section 9)."""
    for index in range(len(line)):
        left = line[index - size] if index >= size else 0
        up = above[index]
        corner = above[index - size] if index >= size else 0
        if kind == 1:
            line[index] = (line[index] + left) & 255
        elif kind == 2:
            line[index] = (line[index] + up) & 255
        elif kind == 3:
            line[index] = (line[index] + (left + up) // 2) & 255
        elif kind == 4:
            guess = left + up - corner
            near = min(
                (abs(guess - left), 0, left),
                (abs(guess - up), 1, up),
                (abs(guess - corner), 2, corner),
            )
            line[index] = (line[index] + near[2]) & 255
    return line
