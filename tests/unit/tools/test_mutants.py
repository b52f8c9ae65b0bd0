"""The list of mutants fits the source; a mutant is tried alone, and the verdict is right."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tools.mutants.registry import BadList, Mutant, problems_of, read_mutants
from tools.mutants.running import Verdict, run_unchanged, try_all

SOURCE = '''"""Adds."""


def add(one: int, other: int) -> int:
    return one + other


def double(one: int) -> int:
    return one + one
'''
TESTS = """
import subprocess, sys

from sums import add


def test_add():
    assert add(2, 3) == 5


def test_add_in_a_process_of_its_own():
    code = "from sums import add; print(add(2, 3))"
    assert subprocess.check_output([sys.executable, "-c", code]) == b"5\\n"
"""
FITTING = Mutant(
    id="minus",
    file="src/sums.py",
    old="one + other",
    new="one - other",
    breaks="sums are differences",
    tests=("tests/test_sums.py",),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small project."""
    for name, text in (("src/sums.py", SOURCE), ("tests/test_sums.py", TESTS)):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (tmp_path / "tree/pyproject.toml").write_text(
        "[tool.pytest.ini_options]\nmarkers = ['long: takes minutes']\n"
    )
    return tmp_path / "tree"


def test_the_lists_fit_the_source() -> None:
    problems = problems_of(read_mutants())

    assert not problems, "\n\n" + "\n\n".join(problems)


def test_list_has_enough_mutants_including_past_survivors() -> None:
    ids = {mutant.id for mutant in read_mutants()}

    assert len(ids) >= 60
    survivors = "L2 G1b L6 L9 C6 B3 B6 A8 A9 U4 K4 E3 E4 S4 D1 K2"
    assert set(survivors.split()) <= ids


def test_each_mutant_is_killed_survives_or_is_broken(tree: Path) -> None:
    """Also within one second and with texts of equal length, by which compiled files are considered
    current."""
    harmless = replace(FITTING, id="harmless", new="other + one")
    no_test = replace(FITTING, id="no test", tests=("tests/test_sums.py::test_gone",))
    again = replace(FITTING, id="again")

    trials = try_all([FITTING, harmless, no_test, again], tree, jobs=1, timeout=120)

    assert {trial.mutant.id: trial.verdict for trial in trials} == {
        "minus": Verdict.KILLED,
        "harmless": Verdict.SURVIVED,
        "no test": Verdict.BROKEN,
        "again": Verdict.KILLED,
    }
    assert (tree / "src/sums.py").read_text() == SOURCE


def test_timed_out_tests_count_as_failed(tree: Path) -> None:
    hanging = replace(FITTING, new="__import__('time').sleep(600) or 0")

    (trial,) = try_all([hanging], tree, jobs=1, timeout=3)

    assert (trial.verdict, trial.is_late) == (Verdict.KILLED, True)


def test_tests_that_fail_anyway_are_found_first(tree: Path) -> None:
    (tree / "tests/test_sums.py").write_text(TESTS.replace("== 5", "== 6"))

    unchanged = run_unchanged([FITTING], tree, timeout=120)

    assert unchanged.has_run
    assert unchanged.failed == {"tests/test_sums.py::test_add"}
    assert unchanged.spoils(FITTING)
    assert unchanged.spoils(replace(FITTING, tests=("tests/test_sums.py::test_add",)))
    assert not unchanged.spoils(replace(FITTING, tests=("tests/test_sums.py::test_add_in",)))


@pytest.mark.parametrize(
    ("mutant", "said"),
    [
        (replace(FITTING, old="one + 0ther"), ("0 times", "Line 5 has: return one + other")),
        (replace(FITTING, old="one +"), ("2 times", "lines 5, 9", "take in more")),
        (replace(FITTING, file="src/gone.py"), ("no src/gone.py", "in src/sums.py")),
        (replace(FITTING, new="one +"), ("not Python",)),
        (replace(FITTING, new=FITTING.old), ("changes nothing",)),
        (replace(FITTING, tests=("tests/test_gone.py",)), ("no tests/test_gone.py",)),
        (replace(FITTING, tests=("tests/test_sums.py::test_x",)), ("has no test_x",)),
    ],
)
def test_mismatched_entries_are_explained(tree: Path, mutant: Mutant, said: Sequence[str]) -> None:
    (problem,) = problems_of([mutant], tree)

    assert problem.startswith("minus: ")
    assert all(part in problem for part in said), problem


def test_malformed_list_is_refused(tmp_path: Path) -> None:
    entry = '[[mutant]]\nid = "a"\nfile = "f"\nold = "o"\nnew = "n"\nbreaks = "b"\ntests = []\n'
    (tmp_path / "one.toml").write_text(entry)
    assert [mutant.id for mutant in read_mutants(tmp_path)] == ["a"]
    (tmp_path / "two.toml").write_text(entry)
    with pytest.raises(BadList, match="twice: a"):
        read_mutants(tmp_path)
    (tmp_path / "two.toml").write_text(entry.replace("breaks", "broken"))
    with pytest.raises(BadList, match=r"two\.toml, mutant a"):
        read_mutants(tmp_path)
