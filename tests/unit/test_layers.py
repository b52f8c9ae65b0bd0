"""A new module must be given its place among the layers."""

import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTAINERS = (
    "outlay",
    "outlay.services",
    "outlay.storage",
    "outlay.web",
    "outlay.web.dashboard",
)


def test_layers_are_exhaustive() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = [part for part in map(dict, contracts.values()) if part.get("type") == "layers"]

    assert sorted(part["containers"] for part in layers) == sorted(CONTAINERS)
    assert {part["exhaustive"] for part in layers} == {"True"}


@pytest.mark.parametrize("container", ["outlay", "outlay.services"])
def test_package_without_a_layer_is_found(container: str, tmp_path: Path) -> None:
    """On a tree of packages only: the contracts about layers need no more."""
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    name = next(name for name in contracts if contracts[name].get("containers", "") == container)
    shutil.copy(ROOT / ".importlinter", tmp_path)
    for path in (ROOT / "src" / "outlay").rglob("*.py"):
        copy = tmp_path / path.relative_to(ROOT / "src")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.touch()
    program = (
        "import sys; from importlinter.cli import lint_imports; "
        f"sys.exit(lint_imports(limit_to_contracts=({name.rpartition(':')[2]!r},), no_cache=True))"
    )

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run().returncode == 0
    added = tmp_path.joinpath(*container.split("."), "added")
    added.mkdir()
    (added / "__init__.py").touch()
    refused = run()
    assert refused.returncode == 1
    assert "added" in refused.stdout
