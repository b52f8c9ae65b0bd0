"""Workflows, hooks and release files refer to what exists, and have no more rights than needed."""

import json
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.release_notes import notes_of

import outlay

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def read(path: Path) -> dict[str, Any]:
    """A YAML file. `on` is a boolean to YAML 1.1."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in found.items()}


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """The steps of all jobs of a workflow."""
    for job in read(path)["jobs"].values():
        yield from job["steps"]


def test_there_are_workflows_for_changes_and_releases() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]


@each_workflow
def test_every_target_and_script_of_a_workflow_exists(path: Path) -> None:
    for step in steps(path):
        command = step.get("run", "")
        for targets in re.findall(r"^make ((?:[a-z-]+ ?)+)$", command, re.MULTILINE):
            assert set(targets.split()) <= TARGETS
        for script in re.findall(r"(?:^|\s)((?:tools|\.ci)/[\w./-]+)", command):
            assert (ROOT / script).stat().st_mode & stat.S_IXUSR, script
        for module in re.findall(r"python -m (tools\.\w+)", command):
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file()


@each_workflow
def test_actions_are_pinned_by_hash_with_their_version(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if "uses:" in line]

    assert lines
    for line in lines:
        assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@each_workflow
def test_jobs_have_minimal_rights_and_a_time_limit(path: Path) -> None:
    workflow = read(path)
    granted = {right for job in workflow["jobs"].values() for right in job["permissions"].items()}

    assert workflow["permissions"] == {}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    writing = {right for right, access in granted if access == "write"}
    assert writing == (
        {"id-token", "attestations", "contents"} if path.name == "release.yml" else set()
    )


@each_workflow
def test_no_job_persists_the_token_or_uses_expressions_in_scripts(path: Path) -> None:
    assert "pull_request_target" not in read(path)["on"]
    for step in steps(path):
        assert "${{" not in step.get("run", "")
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_the_classifiers_claim_the_versions_that_are_tested() -> None:
    tested = {
        step["with"]["python-version"]
        for path in WORKFLOWS
        for step in steps(path)
        if step.get("uses", "").startswith("actions/setup-python@")
    }
    claimed = {
        found[1]
        for classifier in PROJECT["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", classifier))
    }

    assert claimed == tested


def test_the_version_has_one_home() -> None:
    assert outlay.__version__ == PROJECT["version"]


def test_documents_name_the_wheel_of_this_version() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        version
        for path in documents
        for version in re.findall(r"outlay-(\d[^-]*)-py3-none-any\.whl", path.read_text())
    }

    assert named == {PROJECT["version"]}


def test_long_tests_run_every_week() -> None:
    workflow = read(ROOT / ".github/workflows/ci.yml")
    job = workflow["jobs"]["test-long"]

    assert workflow["on"]["schedule"]
    assert job["if"] == "github.event_name == 'schedule'"
    assert job["steps"][-1]["run"] == "make test-long"


@pytest.mark.parametrize("folder", ["frontend", "node_clients", "client_generators"])
def test_node_packages_are_locked_without_an_address(folder: str) -> None:
    """The registry is a setting of the machine, as for Python."""
    lock = json.loads((ROOT / "tools" / folder / "package-lock.json").read_text())
    wanted = json.loads((ROOT / "tools" / folder / "package.json").read_text())
    (npm,) = (
        update
        for update in read(ROOT / ".github/dependabot.yml")["updates"]
        if update["package-ecosystem"] == "npm"
    )

    assert lock["packages"][""]["name"] == wanted["name"]
    for name, package in lock["packages"].items():
        assert not name or package["integrity"]
        assert "resolved" not in package
    assert f"/tools/{folder}" in npm["directories"]


@pytest.mark.parametrize("heading", ["## 1.2.0", "## [1.2.0] - 2026-11-28"])
def test_the_notes_of_a_release_are_its_section_of_the_changelog(heading: str) -> None:
    changelog = f"# Changelog\n\n## Unreleased\n\n{heading}\n\n- new\n\n## 1.1.0\n\n- old\n"

    assert notes_of("v1.2.0", "1.2.0", changelog) == "- new"
    assert notes_of("v1.1.0", "1.1.0", changelog) == "- old"


@pytest.mark.parametrize(
    ("tag", "version", "message"),
    [("v1.2.1", "1.2.0", "tag v1.2.0"), ("v1.3.0", "1.3.0", "no section 1.3.0")],
)
def test_tag_without_version_or_changelog_section_is_refused(
    tag: str, version: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        notes_of(tag, version, "## 1.2.0\n\n- new\n")


def test_release_with_unreleased_entries_is_refused() -> None:
    changelog = "## [Unreleased]\n\n- x\n\n## 1.2.0\n\n- new\n"
    with pytest.raises(ValueError, match="under Unreleased"):
        notes_of("v1.2.0", "1.2.0", changelog)


def test_hooks_run_programs_of_the_locked_environment() -> None:
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    locked = (ROOT / "requirements/dev.txt").read_text()

    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        program, *rest = hook["entry"].split()
        assert hook["language"] == "system"
        assert program.startswith(".venv/bin/")
        name = program.removeprefix(".venv/bin/").replace("lint-imports", "import-linter")
        assert name == "python" or re.search(rf"^{name}==", locked, re.MULTILINE)
        if rest[:1] == ["-m"]:
            assert (ROOT / rest[1].replace(".", "/")).with_suffix(".py").is_file() or (
                ROOT / rest[1].replace(".", "/") / "__main__.py"
            ).is_file()


def test_every_yaml_file_is_well_formed() -> None:
    for path in (*ROOT.glob(".github/**/*.yml"), ROOT / "deploy/compose.yaml"):
        assert yaml.safe_load(path.read_text()), path


def test_the_containers_have_no_rights_and_no_secret_in_their_environment() -> None:
    compose = read(ROOT / "deploy/compose.yaml")
    outlay_service = compose["services"]["outlay"]

    assert outlay_service["read_only"] is True
    assert outlay_service["cap_drop"] == ["ALL"]
    for name, service in compose["services"].items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert set(service["secrets"]) <= set(compose["secrets"]), name
        for variable in service["environment"]:
            assert (
                variable.endswith("_FILE")
                or not re.search("PASSWORD|KEY|URL$", variable)
                or (variable == "OUTLAY_PUBLIC_URL")
            ), variable
