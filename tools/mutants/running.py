"""Running mutants: each in a copy of the tree, against the tests that should fail."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import cache_from_source
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Final

from tools.mutants.registry import Mutant

NOT_COPIED: Final = (
    ".git",
    ".venv",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "build",
    "demo-data",
    "dist",
    "screenshots",
    ".peers",
    "results",
)
_FAILED_TEST: Final = re.compile(r"^(?:FAILED|ERROR) (\S+::[^\s\[]+)", re.MULTILINE)
_PASSED, _FAILED = 0, 1
"""Exit codes of pytest; all others mean that it did not run the tests."""


class Verdict(StrEnum):
    """The result for a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    BROKEN = "broken"
    """The tests could not be run, so the result is unknown."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A mutant that was run."""

    mutant: Mutant
    verdict: Verdict
    seconds: float
    output: str
    """The output of pytest."""
    is_late: bool = False
    """Whether the tests timed out, which counts as detecting the mutant."""


def try_all(mutants: Sequence[Mutant], root: Path, *, jobs: int, timeout: float) -> Iterator[Trial]:
    """Run mutants in `jobs` copies of the tree at `root`; yields results as they come."""
    with _copies(root, min(jobs, len(mutants))) as copies, ThreadPoolExecutor(jobs) as pool:

        def run(mutant: Mutant) -> Trial:
            copy = copies.get()
            try:
                return _try(mutant, copy, timeout)
            finally:
                copies.put(copy)

        for done in as_completed([pool.submit(run, mutant) for mutant in mutants]):
            yield done.result()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The result of the mutants' tests on the unchanged source."""

    failed: frozenset[str]
    """Tests that fail anyway, and would seem to detect every mutant."""
    output: str
    has_run: bool

    def spoils(self, mutant: Mutant) -> bool:
        """Whether a test of a mutant fails anyway."""
        return any(
            name == test or name.startswith(f"{test}::")
            for name in self.failed
            for test in mutant.tests
        )


def run_unchanged(mutants: Sequence[Mutant], root: Path, *, timeout: float) -> Unchanged:
    """Run the tests of mutants in an unchanged copy."""
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    files = {test for test in tests if "::" not in test}
    tests = [test for test in tests if test in files or test.partition("::")[0] not in files]
    with _copies(root, 1) as copies:
        code, output = _run_tests(copies.get(), (*tests, "-rfE"), timeout)
    failed = frozenset(_FAILED_TEST.findall(output))
    is_complete = code == _PASSED or (code == _FAILED and bool(failed))
    return Unchanged(failed, output, is_complete)


@contextmanager
def _copies(root: Path, count: int) -> Iterator[SimpleQueue[Path]]:
    copies: SimpleQueue[Path] = SimpleQueue()
    with TemporaryDirectory(prefix="outlay-mutants-") as folder:
        for number in range(count):
            copy = Path(folder) / str(number) / "tree"
            shutil.copytree(root, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
            if (root / ".venv").exists():
                (copy / ".venv").symlink_to(root / ".venv")  # tests are started from there
            copies.put(copy)
        yield copies


def _try(mutant: Mutant, copy: Path, timeout: float) -> Trial:
    path = copy / mutant.file
    original = path.read_text()
    started = time.monotonic()
    try:
        _forget_compiled(path)
        mutant.apply(copy)
        code, output = _run_tests(copy, ("-x", *mutant.tests), timeout)
    finally:
        path.write_text(original)
        _forget_compiled(path)
    if code is None or code == _FAILED:
        verdict = Verdict.KILLED
    else:
        verdict = Verdict.SURVIVED if code == _PASSED else Verdict.BROKEN
    return Trial(mutant, verdict, time.monotonic() - started, output, is_late=code is None)


def _forget_compiled(path: Path) -> None:
    """Delete the compiled module: Python would consider it current within the same second."""
    if path.suffix == ".py":
        Path(cache_from_source(str(path))).unlink(missing_ok=True)


def _run_tests(copy: Path, arguments: Sequence[str], timeout: float) -> tuple[int | None, str]:
    """The exit code of pytest, None after a timeout; and its output."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OUTLAY_", "PYTEST_"))
    }
    variables["PYTHONPATH"] = str(copy / "src")
    options = ("-q", "--no-header", "-p", "no:cacheprovider", "-m", "not long")
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, f"--basetemp={copy.parent / 'tmp'}", *arguments],
        cwd=copy,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, process.communicate()[0]
    return process.returncode, output
