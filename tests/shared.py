"""Data that is built once per test run; each process uses a copy."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def copy_of(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """A new folder with what `build` creates; the first process that needs it builds it for all."""
    common = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent
    original = common / f"{name}-original"
    with (common / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not original.exists():
            unfinished = common / f"{name}-unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            build(unfinished)
            unfinished.rename(original)
    return Path(shutil.copytree(original, factory.mktemp(name) / "data"))
