"""Scripts and styles are sent without comments and indentation, and otherwise as they are."""

from importlib.resources import files

from outlay.web.dashboard.static_files import static_files, without_comments


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


def test_own_files_keep_their_lines() -> None:
    folder = files("outlay.web").joinpath("static")
    sent = {path: file.body for path, file in static_files().items() if path[-3:] in {".js", "css"}}
    assert len(sent) > 20
    for path, body in sent.items():
        source = folder.joinpath(path).read_bytes().split(b"\n")
        lines = body.split(b"\n")
        assert len(lines) == len(source), path
        stripped = [line.lstrip() for line in source]
        assert all(line in {b"", there} for line, there in zip(lines, stripped, strict=True)), path
        assert not any(line.count(b"`") % 2 for line in source), path  # no text of several lines
        assert sum(map(bool, lines)) > 0.5 * sum(map(bool, source)), path
