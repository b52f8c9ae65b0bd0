"""Clients generated from the OpenAPI document are complete, typed, and work.

`tools/ensure_client_generators.sh` installs the generators.
"""

import datetime
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import store
from tests.acceptance.test_golden_answers import golden_events, make_place

ROOT = Path(__file__).parents[2]
GENERATORS = ROOT / ".venv" / "clients"
NODE = GENERATORS / "node" / "node_modules" / ".bin"
CONFIG = Path(__file__).with_name("client_generators.yaml")
PACKAGE = "generated_outlay_client"
FAULT_OF_THE_GENERATOR = "post_v1_traces.py"
"""It forgets an import if a body has two content types and there is no other parameter."""

pytestmark = pytest.mark.skipif(
    not NODE.exists() and not os.environ.get("CI"),
    reason="tools/ensure_client_generators.sh has not been run",
)


@pytest.fixture(scope="module")
def description(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenAPI document as it is served."""
    file = tmp_path_factory.mktemp("clients") / "openapi.json"
    file.write_bytes(httpx.get(f"{server.url}/openapi.json").content)
    return file


@pytest.fixture(scope="module")
def python_client(description: Path) -> Iterator[Path]:
    """A package with a Python client."""
    package = description.parent / PACKAGE
    command = ["generate", "--path", description, "--output-path", package, "--config", CONFIG]
    done = run(GENERATORS / "bin" / "openapi-python-client", *command, "--meta", "none")
    assert "WARNING" not in done, done
    sys.path.insert(0, str(description.parent))
    yield package
    sys.path.remove(str(description.parent))


def run(*command: object) -> str:
    """The output of a program; fails if the program fails."""
    texts = [str(part) for part in command]
    done = subprocess.run(texts, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_typescript_client_compiles(description: Path) -> None:
    types = description.with_suffix(".d.ts")
    run(NODE / "openapi-typescript", description, "-o", types)

    run(NODE / "tsc", "--noEmit", "--strict", types)
    assert "getAnalyticsActivity" in types.read_text()


def test_the_python_client_has_all_operations_and_its_types_check(
    python_client: Path, description: Path
) -> None:
    operations = sum(map(len, json.loads(description.read_text())["paths"].values()))
    modules = [file for file in python_client.glob("api/*/*.py") if file.name != "__init__.py"]
    cache = ROOT / ".mypy_cache" / "clients"
    command = [sys.executable, "-m", "mypy", "--config-file", "/dev/null", "--cache-dir", cache]
    checked = subprocess.run(
        [*map(str, command), PACKAGE],
        cwd=python_client.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    errors = [line for line in checked.stdout.splitlines() if ": error:" in line]

    assert len(modules) == operations
    assert [line for line in errors if FAULT_OF_THE_GENERATOR not in line] == []


@pytest.fixture(scope="module")
def place(server: Server) -> tuple[Tenant, dict[str, str]]:
    """An organization with usage."""
    tenant, ids = make_place(server)
    store(server, tenant, list(golden_events(ids)))
    return tenant, ids


@pytest.fixture
def client(
    server: Server, python_client: Path, place: tuple[Tenant, dict[str, str]]
) -> Iterator[Any]:
    """The generated client, with an access token."""
    module = importlib.import_module(f"{PACKAGE}.client")
    with module.AuthenticatedClient(base_url=server.url, token=place[0].token) as opened:
        yield opened


def test_the_python_client_gets_typed_answers_to_questions_of_every_kind(
    client: Any, place: tuple[Tenant, dict[str, str]]
) -> None:
    ids = place[1]
    models = importlib.import_module(f"{PACKAGE}.models")
    window = {"from_": datetime.date(2026, 11, 17), "to": datetime.date(2026, 11, 20)}

    def ask(operation: str, *path: str, **parameters: Any) -> Any:
        module = importlib.import_module(f"{PACKAGE}.api.{operation}")
        answer = module.sync(*path, client=client, **parameters)
        assert not isinstance(answer, models.Problem | None), answer
        return answer

    activity = ask("analytics.get_analytics_activity", **window)
    assert isinstance(activity, models.UsageActivity)
    assert activity.totals.request_count == sum(each.request_count for each in activity.activity)

    shape = models.GetAnalyticsActivityShape.SERIES
    series = ask("analytics.get_analytics_activity", shape=shape, **window)
    assert isinstance(series, models.ActivitySeries)
    assert sum(series.steps.request_count) == activity.totals.request_count

    summary = ask("analytics.get_analytics_summary", **window)
    assert summary.summary.request_count == activity.totals.request_count
    assert summary.summary.cost == activity.totals.cost

    latency = ask("analytics.get_analytics_latency", **window)
    assert latency.totals.timed_request_count == summary.summary.timed_request_count

    users = ask("analytics.get_analytics_users", **window)
    assert users.users[0].user_id in {ids["user_a"], "user-b"}

    groups = ask("analytics.get_analytics_groups", **window)
    assert ids["group"] in {group.group_id for group in groups.groups}

    projects = ask("analytics.get_analytics_projects", **window)
    assert ids["project"] in {project.project_id for project in projects.projects}

    sessions = ask("analytics.get_analytics_sessions", **window)
    session = ask("analytics.get_analytics_sessions_session_id", "agent-7")
    assert "agent-7" in {each.session_id for each in sessions.sessions}
    assert session.session_id == "agent-7"

    requests = ask("requests.get_requests", **window)
    request = ask("requests.get_requests_event_id", requests.requests[0].event_id)
    assert request.tokens.output == requests.requests[0].output_tokens

    own = ask("analytics.get_analytics_me", **window)
    assert own.member.member_id == ids["user_a"]
    assert own.summary.request_count == own.totals.request_count > 0

    members = ask("analytics.get_analytics_members", **window)
    assert ids["user_a"] in {member.member_id for member in members.members}

    member = ask("analytics.get_analytics_members_user_id", ids["user_a"], **window)
    assert member.totals.request_count == own.totals.request_count

    key = ask("analytics.get_analytics_keys_api_key_id", ids["api_key"], **window)
    assert key.totals.request_count > 0

    project = ask("analytics.get_analytics_projects_project_id", ids["project"], **window)
    assert project.totals.request_count > 0

    both = ask("analytics.get_analytics_users_and_groups", **window)
    assert both.totals.request_count == activity.totals.request_count

    health = ask("analytics.get_analytics_health", **window)
    assert health.totals.request_count == activity.totals.request_count

    costs = ask("analytics.get_analytics_reported_costs", **window)
    assert costs.totals.compared_request_count > 0

    report = ask("exports.get_exports_report", format_=models.GetExportsReportFormat.JSON, **window)
    assert report.trailer.totals["requestCount"] == activity.totals.request_count


def test_the_python_client_creates_changes_and_deletes(
    client: Any,
) -> None:
    models = importlib.import_module(f"{PACKAGE}.models")

    def call(operation: str, *path: str, **parameters: Any) -> Any:
        module = importlib.import_module(f"{PACKAGE}.api.{operation}")
        return module.sync_detailed(*path, client=client, **parameters)

    made = call("tags.post_tags", body=models.TagBody(key="stage"))
    listed = call("tags.get_tags")
    gone = call("tags.delete_tags_key", "stage")

    assert (made.status_code, made.parsed.key) == (201, "stage")
    assert "stage" in {tag.key for tag in listed.parsed.tags}
    assert gone.status_code == 204
