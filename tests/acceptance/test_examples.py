"""The examples of the OpenAPI document have the shape of real answers.

`OUTLAY_WRITE_EXAMPLES=1` rewrites them.
"""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import store
from tests.acceptance.test_golden_answers import make_place
from tests.factories import NOW, make_event

from outlay.domain.event import CostSource
from outlay.kit.clock import to_us
from outlay.services.recording.skipped_telemetry import Reason, SkippedKind
from outlay.web.http import examples
from outlay.web.http.openapi import example_name

FOLDER = Path(examples.__file__).parent
WINDOW = "from=2026-11-19&to=2026-11-20"
DAILY = f"{WINDOW}&bucket=day"
ENDPOINTS = {
    "/api/v1/analytics/activity": f"{DAILY}&groupBy=user,model&compare=previous",
    "/api/v1/analytics/summary": WINDOW,
    "/api/v1/analytics/me": DAILY,
    "/api/v1/analytics/latency": f"{WINDOW}&groupBy=provider",
    "/api/v1/analytics/health": WINDOW,
    "/api/v1/analytics/reported-costs": f"{WINDOW}&compare=previous",
    "/api/v1/analytics/members": WINDOW,
    "/api/v1/analytics/members/{user_id}": DAILY,
    "/api/v1/analytics/keys/{api_key_id}": DAILY,
    "/api/v1/analytics/projects": WINDOW,
    "/api/v1/analytics/projects/{project_id}": DAILY,
    "/api/v1/analytics/groups": WINDOW,
    "/api/v1/analytics/users": f"{WINDOW}&selected=mem_x",
    "/api/v1/analytics/users-and-groups": DAILY,
    "/api/v1/analytics/sessions": f"{WINDOW}&pageSize=1",
    "/api/v1/analytics/sessions/{session_id}": "",
    "/api/v1/requests": f"{WINDOW}&limit=1",
    "/api/v1/requests/{event_id}": "",
}


@pytest.fixture(scope="module")
def place(server: Server) -> tuple[Tenant, dict[str, str]]:
    """An organization with one of everything, and their ids."""
    tenant, made = make_place(server)
    member_id = made["user_a"]
    events = [
        make_event(
            event_time_us=to_us(NOW - timedelta(hours=9 * number + 1)),
            project_id=made["project"],
            api_key_id=made["api_key"],
            member_id=member_id,
            user_id=member_id,
            groups=made["group"],
            app="web",
            session_id="refactoring-42",
            input_tokens=1200,
            output_tokens=300,
            cost_pusd=84_190_000_000,
            computed_cost_pusd=84_190_000_000,
            reported_cost_pusd=84_200_000_000,
            cost_source=CostSource.PARTIAL if number == 0 else CostSource.COMPUTED,
            unpriced_parts="acme_credits" if number == 0 else "",
            unread="acme_credits" if number == 0 else "",
            duration_us=1_250_000,
            time_to_first_token_us=320_000,
            is_stream=1,
        )
        for number in range(9)
    ]
    store(server, tenant, events)
    server.services.skipped_telemetry.note(
        tenant.organization.organization_id,
        [SkippedKind(Reason.NO_CALL, "opentelemetry.instrumentation.acme", "invoke_agent")],
    )
    ids = {
        "user_id": member_id,
        "api_key_id": made["api_key"],
        "project_id": made["project"],
        "event_id": events[0].event_id,
        "session_id": "refactoring-42",
    }
    return tenant, ids


def shape(value: Any) -> Any:
    """The names in an answer, without its values; lists by their first element."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in sorted(value.items())}
    return [shape(value[0])] if isinstance(value, list) and value else None


@pytest.mark.parametrize("path", ENDPOINTS)
def test_examples_match_the_response_schema(
    server: Server, place: tuple[Tenant, dict[str, str]], path: str
) -> None:
    tenant, ids = place
    url = f"{server.url}{path.format(**ids)}?{ENDPOINTS[path]}"
    answer = httpx.get(url, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    file = FOLDER / example_name("get", path)
    if os.environ.get("OUTLAY_WRITE_EXAMPLES"):
        file.write_text(json.dumps(answer.json(), indent=1, ensure_ascii=False) + "\n")

    assert shape(json.loads(file.read_text())) == shape(answer.json())


def test_every_analytics_endpoint_has_an_example(server: Server) -> None:
    described = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    wanted = {
        path for path in described if path.startswith(("/api/v1/analytics", "/api/v1/requests"))
    }

    assert wanted == set(ENDPOINTS)
    for path in wanted:
        assert (
            "example" in described[path]["get"]["responses"]["200"]["content"]["application/json"]
        )
