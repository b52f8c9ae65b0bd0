"""Scripts and styles are sent without comments and meaningless space."""

from importlib.resources import files
from pathlib import Path

from outlay.web.dashboard.static_files import static_files, without_comments, without_space


def test_comments_are_removed_and_lines_kept() -> None:
    source = b"""// about the file
/** @type {number} */ let a = 1; // kept
  /* two
     lines */
const url = "http://x"; /* kept */
/** doc */
/* one */ let b = 2; /* other */
"""
    assert without_comments(source) == (
        b"\n/** @type {number} */ let a = 1; // kept\n\n\n"
        b'const url = "http://x"; /* kept */\n\n/* one */ let b = 2; /* other */\n'
    )


def bundled(folder: Path, path: str) -> bytes:
    """A file with the style sheets that it imports."""
    lines = []
    for line in folder.joinpath(path).read_text().splitlines(keepends=True):
        if line.startswith("@import"):
            part = line.split('"')[1]
            lines.append(folder.joinpath(path).parent.joinpath(part).read_text() + "\n")
        else:
            lines.append(line)
    return "".join(lines).encode()


def test_style_sheets_are_sent_as_one() -> None:
    sheets = {path for path in static_files() if path.endswith(".css")}
    assert sheets == {"css/app.css", "css/print.css"}
    assert b"@import" not in static_files()["css/app.css"].body


def test_style_sheets_lose_space_without_meaning_and_keep_strings() -> None:
    sheet = b"""a > b,
.c { margin: calc(1px + 2px) -1px; content: " { x ; } "; }
@media (width >= 40rem) { .d .e { color: red } }
"""
    assert without_space(sheet) == (
        b'a>b,.c{margin:calc(1px + 2px) -1px;content:" { x ; } ";}'
        b"@media (width>= 40rem){.d .e{color:red}}"
    )


def test_no_line_is_changed_or_moved() -> None:
    folder = Path(str(files("outlay.web").joinpath("static")))
    sent = {path: file.body for path, file in static_files().items() if path.endswith(".js")}
    assert len(sent) > 20
    for path, body in sent.items():
        source = bundled(folder, path).split(b"\n")
        lines = body.split(b"\n")
        assert len(lines) == len(source), path
        stripped = [line.lstrip() for line in source]
        assert all(line in {b"", there} for line, there in zip(lines, stripped, strict=True)), path
        assert not any(line.count(b"`") % 2 for line in source), path  # no text spans several lines
        assert sum(map(bool, lines)) > 0.3 * sum(map(bool, source)), path
