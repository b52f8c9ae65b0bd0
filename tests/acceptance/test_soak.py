"""The soak command, for a short time."""

import subprocess
import sys

import pytest


@pytest.mark.long
def test_server_under_mixed_load_stays_flat_and_loses_nothing() -> None:
    command = [sys.executable, "-m", "bench.soak", "--minutes", "1.25"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "GROWS" not in ran.stdout
