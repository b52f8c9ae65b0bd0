"""Files have one subject and functions fit on a screen."""

import ast
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "outlay"
FILES = sorted(SRC.rglob("*.py"))
MIGRATIONS = SRC / "storage" / "directory" / "migrations"
MAX_FILE = 400
MAX_P99 = 60
MAX_FUNCTION = 80
"""The longest are tables: the options of a command, the columns of a schema."""


def test_no_file_is_over_400_lines() -> None:
    lines = {str(path.relative_to(SRC)): len(path.read_text().splitlines()) for path in FILES}
    assert {name: count for name, count in lines.items() if count > MAX_FILE} == {}


def test_functions_are_short() -> None:
    lengths = {
        f"{path.relative_to(SRC)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in FILES
        if not path.is_relative_to(MIGRATIONS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    ordered = sorted(lengths.values())

    assert ordered[int(len(ordered) * 0.99)] <= MAX_P99
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION} == {}
