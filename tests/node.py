"""Programs for Node, with the client libraries that `make test` installs."""

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / ".venv/node"
INSTALL = "run tools/ensure_node_clients.sh, as `make test` does"


def run_node(script: str, *arguments: str, packages: tuple[str, ...]) -> str:
    """Run a script with client libraries; returns its output.

    Fails with an explanation if Node or a library is not installed.
    """
    node = shutil.which("node")
    if node is None:
        pytest.fail(f"Node is not installed: {INSTALL}", pytrace=False)
    missing = [name for name in packages if not (FOLDER / "node_modules" / name).is_dir()]
    if missing:
        pytest.fail(f"Node has no {' and no '.join(missing)}: {INSTALL}", pytrace=False)
    done = subprocess.run(
        [node, "-e", script, *arguments],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
