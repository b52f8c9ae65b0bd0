"""Every suppressed check says why, next to it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    path
    for folder in ("src", "tests", "tools", "bench")
    for ending in ("py", "js", "ts", "css")
    for path in (ROOT / folder).rglob(f"*.{ending}")
    if "node_modules" not in path.parts
]

SUPPRESSION: Final = re.compile(
    r"# noqa\b|# type: ignore\b|biome-ignore\b|@ts-(expect-error|ignore|nocheck)\b|# nosec\b"
)
EXPLAINED: Final = re.compile(
    r"# noqa: [A-Z]+\d+(, [A-Z]+\d+)* - \w"
    r"|# type: ignore\[[a-z-]+(, [a-z-]+)*\]  # \w"
    r"|biome-ignore [\w/]+: \w"
    r"|@ts-expect-error \w"
)


def unexplained_in(source: str) -> Iterator[str]:
    """The lines of a file that suppress a check without a reason."""
    for number, line in enumerate(source.splitlines(), 1):
        if SUPPRESSION.search(line) and not EXPLAINED.search(line):
            yield f"{number}: {line.strip()}"


@pytest.mark.parametrize(
    ("line", "is_explained"),
    [
        ("x = f()  # noqa: S104 - compared, not bound", True),
        ("x = f()  # noqa: S104", False),
        ("x = f()  # noqa", False),
        ("x = f()  # type: ignore[index]  # never None here", True),
        ("x = f()  # type: ignore[index]", False),
        ("x = f()  # type: ignore  # no code", False),
        ("// biome-ignore lint/style/useConst: it changes", True),
        ("// biome-ignore lint/style/useConst", False),
        ("// @ts-expect-error the DOM has it", True),
        ("// @ts-ignore the DOM has it", False),
    ],
)
def test_what_explains_a_suppression(line: str, is_explained: bool) -> None:
    assert list(unexplained_in(line)) == ([] if is_explained else [f"1: {line}"])


def test_every_suppression_has_a_reason() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in FILES
        if path != Path(__file__)
        for line in unexplained_in(path.read_text(encoding="utf-8"))
    ]
    assert found == []
