"""Tests use only public members, because private ones change without notice."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

TESTS = Path(__file__).parents[1]

PUBLIC: Final = {"_replace", "_asdict", "_fields", "_make", "_exit"}
"""Underscores that do not mean private: named tuples, and `os._exit`."""

EXPLAINED: Final = {
    "backdoor.py": "damages, watches and halts stores; each function says why",
    "clickhouse.py": "the driver's own engine, run with settings as its HTTP interface does",
    "unit/test_private_parts.py": "its subject is what src uses of others' private parts",
    "unit/pricing/test_book.py": "that hostile names do not fill the memory shows nowhere else",
    "unit/services/gateway/test_spend_counters.py": "as above, for counters of past days",
    "unit/storage/test_duckdb_cursors.py": "as above, for idle cursors",
    "unit/web/test_connections.py": "as above, for connections that are gone",
    "integration/test_stale.py": "as above, for keys that are unknown",
}
"""Files that use private members, and why."""


def uses_in(source: str) -> Iterator[str]:
    """The private members that a module uses of other objects and modules."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            if _is_private(node.attr) and not is_own:
                yield f"{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.lineno}: {a.name}" for a in node.names if _is_private(a.name))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
            names = [str(a.value) for a in node.args if isinstance(a, ast.Constant)]
            yield from (f"{node.lineno}: {name}" for name in names if _is_private(name))


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("cube._last_fold = 0", ["1: cube._last_fold"]),
        ("a.b._c.d()", ["1: a.b._c"]),
        ("from outlay.engines import _connect", ["1: _connect"]),
        ("patch.setattr(ledger, '_commit', fail)", ["1: _commit"]),
        ("self._own = cls._other = row._replace(x=1)", []),
        ("x.__class__", []),
    ],
)
def test_private_members_of_others_are_recognised(source: str, found: list[str]) -> None:
    assert list(uses_in(source)) == found


def test_no_test_reaches_into_private_members() -> None:
    found = {
        str(path.relative_to(TESTS)): uses
        for path in sorted(TESTS.rglob("*.py"))
        if (uses := list(uses_in(path.read_text())))
    }

    assert {name: uses for name, uses in found.items() if name not in EXPLAINED} == {}
    assert EXPLAINED.keys() == found.keys(), "an explanation of what is not used any more"
