"""The package as others install it: a wheel, in an otherwise empty environment."""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.program import kill_group, launch

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("runtime", "scale", "build", "dev")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def pins(lock: str) -> dict[str, str]:
    """The versions that a lock file pins."""
    text = (ROOT / f"requirements/{lock}.txt").read_text()
    found = re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with the packages of the development environment: no network is needed."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    check(*PIP, *build, "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("outlay-*.whl")
    return built


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel, its extras and their dependencies.

    Versions are those of the lock file; the wheel determines which packages are installed.
    """
    folder = tmp_path_factory.mktemp("bare")
    check(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{name}=={is_}\n" for name, is_ in pins("scale").items()))
    into = ("--python", folder / "venv/bin/python", "install", "--quiet", "--no-compile")
    check(*PIP, *into, "--constraint", constraints, f"{wheel}[scale]")
    check(*PIP, "--python", folder / "venv/bin/python", "check")
    return folder / "venv/bin"


def check(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command in the installed environment only; it must succeed."""
    done = subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=cwd,
        env=environment(),
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def environment() -> dict[str, str]:
    """The current environment without variables that lead Python or Outlay to this source tree."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "VIRTUAL_ENV" and not name.startswith(("PYTHON", "OUTLAY"))
    }


def metadata(wheel: Path) -> Message:
    """The metadata of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def imported(wheel: Path) -> set[str]:
    """The top-level modules that the wheel imports, without the standard library."""
    found: set[str] = set()
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                for node in ast.walk(ast.parse(archive.read(name))):
                    match node:
                        case ast.Import():
                            found |= {alias.name for alias in node.names}
                        case ast.ImportFrom(module=str(module), level=0):
                            found.add(module)
    return {name.partition(".")[0] for name in found} - sys.stdlib_module_names - {"outlay"}


def test_wheel_requires_what_it_imports(wheel: Path) -> None:
    wanted = [Requirement(text) for text in metadata(wheel).get_all("Requires-Dist", ())]
    names = {canonicalize_name(each.name) for each in wanted}
    owners = packages_distributions()

    missing = {
        module: owners.get(module, ["an unknown package"])
        for module in imported(wheel)
        if names.isdisjoint(map(canonicalize_name, owners.get(module, ())))
    }
    assert missing == {}, "add it to [project.dependencies], then `make requirements`"


def test_wheel_contains_every_package_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("outlay/")}
    tree = (path for path in (ROOT / "src/outlay").rglob("*") if path.is_file())
    files = {
        str(path.relative_to(ROOT / "src")) for path in tree if "__pycache__" not in path.parts
    }

    assert packed == files


def test_help_and_doctor_run_in_a_bare_environment(bare: Path, tmp_path: Path) -> None:
    assert "Usage: outlay" in check(bare / "outlay", "--help", cwd=tmp_path)
    found = check(bare / "outlay", "doctor", "--data", tmp_path / "data", cwd=tmp_path)
    assert "✗" not in found
    check(bare / "python", "-c", "import psycopg, clickhouse_connect", cwd=tmp_path)


def test_demo_runs_in_a_bare_environment(bare: Path, tmp_path: Path) -> None:
    process = launch(
        [bare / "outlay", "demo", "--json", "--port", "0", "--days", "2"],
        stderr=None,
        cwd=tmp_path,
        env=environment(),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"it ended with {process.wait(30)}"
        demo = json.loads(line)
        with httpx.Client(base_url=demo["url"], timeout=30, follow_redirects=True) as client:
            signed_in = client.post(
                "/login", data={"email": demo["ownerEmail"], "password": demo["ownerPassword"]}
            )
            script = client.get(re.findall(r'src="(/static/[^"]+)"', signed_in.text)[0])
            bearer = {"authorization": f"Bearer {demo['accessToken']}"}
            numbers = client.get("/api/v1/analytics/activity", headers=bearer).json()
    finally:
        kill_group(process, signal.SIGTERM)

    assert Path(demo["data"]) == tmp_path / "demo-data"
    assert signed_in.status_code == script.status_code == 200
    assert numbers["totals"]["requestCount"] > 0
    assert process.returncode == 0


def test_lock_files_pin_the_declared_dependencies_consistently() -> None:
    extras: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
    asked = {
        "runtime": PROJECT["project"]["dependencies"],
        "scale": [*PROJECT["project"]["dependencies"], *extras["scale"], *extras["tracing"]],
        "build": PROJECT["build-system"]["requires"],
    }
    assert set(extras) == {"scale", "tracing"}, "an extra needs a lock file"
    for lock, texts in asked.items():
        pinned = pins(lock)
        for wanted in map(Requirement, texts):
            found = pinned.get(canonicalize_name(wanted.name))
            fits = found is not None and found in wanted.specifier
            assert fits, f"{lock}.txt has {found} for {wanted}: make requirements"

    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, version in pins(lock).items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_files_contain_no_hosts(lock: str) -> None:
    text = (ROOT / f"requirements/{lock}.txt").read_text()
    assert re.findall(r"^--|://|@ ", text, re.MULTILINE) == []
    assert "--hash=sha256:" in text


def test_container_uses_a_tested_and_declared_python() -> None:
    container = re.findall(r"^FROM python:([\d.]+)", dockerfile(), re.MULTILINE)
    claimed = [
        line.rpartition(" ")[2]
        for line in PROJECT["project"]["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    ]
    tools: dict[str, Any] = PROJECT["tool"]

    assert len(set(container)) == 1
    assert claimed == [container[0]], "a classifier claims a Python that nothing is tested on"
    assert PROJECT["project"]["requires-python"] == f">={container[0]}"
    assert tools["mypy"]["python_version"] == container[0]
    assert tools["ruff"]["target-version"] == f"py{container[0].replace('.', '')}"
    running = "{}.{}".format(*sys.version_info)
    if running != container[0] and not os.environ.get("CI"):
        pytest.skip(f"these tests run on Python {running}, CI and the container on {container[0]}")
    assert running == container[0], "CI tests another Python than the container has"


def test_container_installs_existing_lock_files() -> None:
    text = dockerfile()
    installed = re.findall(r"-r (\S+)", text)
    copied = re.findall(r"requirements/\S+\.txt", text.partition("RUN")[0])

    assert sorted(installed) == sorted(copied)
    assert all((ROOT / name).is_file() for name in installed)


def dockerfile() -> str:
    """The instructions of the container build."""
    return (ROOT / "deploy/Dockerfile").read_text()
