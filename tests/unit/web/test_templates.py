"""Templates are readable: no long lines, no long files."""

from pathlib import Path

import pytest

import outlay.web

WEB = Path(outlay.web.__file__).parent
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))
SOURCES = [*TEMPLATES, *sorted((WEB / "static").rglob("*.css")), *sorted(WEB.rglob("*.js"))]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(WEB)))
def test_no_line_of_a_template_is_over_120_characters(path: Path) -> None:
    long = [line for line in path.read_text().splitlines() if len(line) > 120]
    assert long == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(WEB)))
def test_no_file_is_over_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
