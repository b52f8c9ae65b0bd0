"""Charts: what they draw, say, save and lead to."""

import csv
import io
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import ANALYTICS, Demo, Watched

LINES = "/organization/users-and-groups"
LINE = "#chart-users-cost-per-request"


def area(page: Page, demo: Demo, query: str = "?preset=last-month") -> None:
    page.goto(f"{demo.url}{ANALYTICS}{query}")
    expect(page.locator("usage-area")).to_have_attribute("data-drawn", re.compile("."))


def data_of(page: Page, source: str) -> Any:
    return page.evaluate("id => JSON.parse(document.getElementById(id).textContent)", source)


def test_lines_are_the_quotients_of_what_the_api_says(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LINES}?preset=last-month")
    expect(page.locator(LINE)).to_have_attribute("data-drawn", re.compile("."))
    answer = demo.get(LINES.replace("/organization", "/analytics"), preset="last-month")
    shown = data_of(page, "data-users-cost-per-request")

    overall = next(one for one in shown["series"] if one["key"] == "all")
    assert [value and round(value, 12) for value in overall["values"]] == [
        value and round(float(value), 12) for value in answer["userSeries"]["costPerRequest"]
    ]
    groups = data_of(page, "data-groups-cost-per-request")["series"]
    by_key = {entry["key"]: entry for entry in answer["groups"]}
    for line in groups:
        wanted = by_key[line["key"]]["series"]["costPerRequest"]
        assert line["values"] == [value if value is None else float(value) for value in wanted]


def test_missing_values_are_gaps_and_single_ones_dots(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LINES}?preset=last-month")
    page.locator(LINE).evaluate(
        "(chart, data) => chart.update({...chart.data, ...data})",
        {
            "series": [
                {"key": "a", "label": "A", "kind": "value", "slot": 1, "values": values}
                for values in [[1, 2, None, 3, None, 4, 5] + [None] * 24]
            ]
        },
    )

    path = page.locator(f"{LINE} .line").get_attribute("d") or ""
    assert path.count("M") == 2
    assert path.count("L") == 2
    expect(page.locator(f"{LINE} circle.dot")).to_have_count(1)


def test_the_keyboard_reads_lines_out(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LINES}?preset=last-month")
    page.locator(f"{LINE} .plot").focus()
    page.keyboard.press("End")

    expect(page.locator("#announce")).to_contain_text(re.compile(r"\$0\.\d+"))
    expect(page.locator(f"{LINE} .tip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(f"{LINE} .tip")).to_be_hidden()


def test_a_click_on_a_band_filters_and_a_drag_zooms(page: Page, demo: Demo) -> None:
    area(page, demo)
    band = page.locator(".band").first
    key = band.get_attribute("data-key")
    box = page.locator(".plot").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] - 34)
    expect(page).to_have_url(re.compile(f"model={key}"))
    expect(page.locator(".filter")).to_contain_text(key or "")

    page.go_back()
    expect(page.locator(".filter")).to_have_count(0)
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 100, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=\d{4}-\d\d-\d\d&to=\d{4}-\d\d-\d\d"))


def test_the_csv_is_what_the_chart_shows(page: Page, demo: Demo) -> None:
    area(page, demo, "?preset=last-month&groupBy=project")
    tools = page.locator(".chart-card .tools")
    tools.locator("summary").click()
    with page.expect_download() as download:
        tools.get_by_role("button", name="CSV").click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text())))
    usage = data_of(page, "data-project")["usage"]

    assert download.value.suggested_filename == "cost-by-project-over-time.csv"
    assert rows[0][0] == "Date"
    assert [row[0] for row in rows[1:]] == [point["date"] for point in usage["points"]]
    for column, label in enumerate(rows[0][1:-1], 1):
        series = next(one for one in usage["series"] if one["label"] == label)
        assert [float(row[column]) for row in rows[1:]] == series["cost"]


@pytest.mark.parametrize(
    "watched",
    [{"color_scheme": scheme} for scheme in ("light", "dark")],
    indirect=True,
    ids=lambda options: options["color_scheme"],
)
def test_the_picture_has_the_chart_in_its_colours(watched: Watched, demo: Demo) -> None:
    page = watched.page
    area(page, demo)
    for card, name in ((".chart-card", "cost-by-model-over-time"), (".panel", "cost-by-model")):
        tools = page.locator(f"{card} .tools").last
        tools.locator("summary").click()
        with page.expect_download() as download:
            tools.get_by_role("button", name="PNG").click()
        assert download.value.suggested_filename == f"{name}.png"
        width, height, colours = read_png(download.value.path())
        assert width > 800
        assert height > 300
        band = page.locator(".fill-1").first.evaluate("node => getComputedStyle(node).fill")
        red, green, blue = map(int, re.findall(r"\d+", band))
        assert (red, green, blue) in colours


def saved(page: Page, card: str) -> Path:
    """The PNG of the last chart or ranking of some cards."""
    tools = page.locator(f"{card} .tools").last
    tools.locator("summary").click()
    with page.expect_download() as download:
        tools.get_by_role("button", name="PNG").click()
    return Path(download.value.path())


def test_the_picture_of_a_chart_is_the_same_while_its_values_are_shown(
    page: Page, demo: Demo
) -> None:
    area(page, demo)
    drawn = saved(page, ".chart-card").read_bytes()
    page.locator(".chart-card [data-chart-do=table]").click()
    expect(page.locator(".chart-card .data-table")).to_be_visible()

    assert saved(page, ".chart-card").read_bytes() == drawn
    expect(page.locator(".chart-card .data-table")).to_be_visible()
    expect(page.locator("usage-area svg.plot")).to_have_count(0)


def test_a_band_under_the_pointer_pales_the_others_and_lights_its_row(
    page: Page, demo: Demo
) -> None:
    area(page, demo)
    band = page.locator("usage-area .band").first
    key = band.get_attribute("data-key")
    box = page.locator("usage-area svg.plot").bounding_box()
    assert box

    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] - 34)
    expect(page.locator("usage-area .band:not(.is-dim)")).to_have_count(1)
    expect(band).not_to_have_class(re.compile("is-dim"))
    expect(page.locator(".ranking:not([hidden]) tr.is-lit")).to_have_attribute(
        "data-key", key or ""
    )

    page.locator("usage-area").evaluate("chart => chart.update(chart.data)")
    expect(page.locator(".ranking tr.is-lit")).to_have_count(0)
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] - 34)
    expect(page.locator(".ranking:not([hidden]) tr.is-lit")).to_have_count(1)

    page.mouse.move(0, 0)
    expect(page.locator("usage-area .band.is-dim")).to_have_count(0)
    expect(page.locator(".ranking tr.is-lit")).to_have_count(0)


def read_png(path: Path) -> tuple[int, int, set[tuple[int, int, int]]]:
    """Width, height and the colours of an 8-bit RGB or RGBA picture without interlacing."""
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
