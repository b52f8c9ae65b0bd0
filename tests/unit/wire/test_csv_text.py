"""CSV that no spreadsheet executes, and whose text can be restored."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.wire.tables.csv_text import render_line, safe_cell

STARTS = ["=", "+", "-", "@", "\t", "\r", "\0", "'"]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("rest", ["", "cmd|' /C calc'!A0", "1+1", "=1", "3-2", "٣"])
def test_formulas_are_prefixed_with_an_apostrophe(start: str, rest: str) -> None:
    assert safe_cell(start + rest) == "'" + start + rest


@pytest.mark.parametrize(
    "text", ["", "a=1", "1-2", "name@example.test", " =1", "it's", "-3", "-0.000000000001"]
)
def test_other_text_is_unchanged(text: str) -> None:
    assert safe_cell(text) == text


@given(st.text(st.sampled_from([*STARTS, "a", '"', ",", "\n", " "]), max_size=6))
def test_removing_one_apostrophe_restores_the_text(text: str) -> None:
    cell = safe_cell(text)

    assert cell.removeprefix("'") == text
    assert cell == text or not text.startswith(("a", '"', ",", "\n", " "))


@given(st.lists(st.text(st.sampled_from([*STARTS, "a", '"', ",", "\n"])), min_size=1, max_size=4))
def test_line_round_trips_through_a_csv_reader(cells: list[str]) -> None:
    line = render_line(cells)

    assert line.endswith("\r\n")
    (found,) = csv.reader(io.StringIO(line, newline=""))
    assert [cell.removeprefix("'") for cell in found] == cells
