"""The API does what its OpenAPI document says, for any caller, and never fails unexpectedly."""

import json
import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.acceptance.conftest import Server
from tests.acceptance.world import World, make_world

from outlay.domain.actor import Plan, Role

Fits = Callable[[Any, dict[str, Any]], bool]


def refuses_violations(_: Any, response: Any, case: Any) -> None:
    """Requests that violate the document are not accepted."""
    broken = violation_of(response.request, case.operation)
    assert not broken or response.status_code >= 400, (broken, response.request.url)


def violation_of(request: Any, operation: Any) -> str | None:
    """How a request violates the document; None if it does not."""
    description = operation.schema.raw_schema
    definition = description["paths"][operation.path][operation.method]

    def fits(value: Any, schema: dict[str, Any]) -> bool:
        whole = {**schema, "components": description["components"]}
        return bool(jsonschema_rs.validator_for(whole, validate_formats=True).is_valid(value))

    return _violation_of_query(request, definition, fits) or _violation_of_body(
        request, definition, fits
    )


def _violation_of_query(request: Any, definition: Any, fits: Fits) -> str | None:
    query = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
    for parameter in definition.get("parameters", []):
        if parameter["in"] != "query":
            continue
        name, schema = parameter["name"], parameter["schema"]
        values = query.get(name, [])
        if parameter["required"] and not values:
            return f"{name} is missing"
        if not any(values):
            continue  # the way forms send empty fields: not given
        readings: list[Any] = [values] if "array" in json.dumps(schema) else [*values]
        if len(readings) > 1:
            return f"{name} is there more than once"
        if re.fullmatch(r"[+-]?[0-9]+", values[0]):
            readings.append(int(values[0]))
        if not any(fits(reading, schema) for reading in readings):
            return f"{name} is {values}"
    return None


def _violation_of_body(request: Any, definition: Any, fits: Fits) -> str | None:
    if "requestBody" not in definition:
        return None
    schema = definition["requestBody"]["content"]["application/json"]["schema"]
    try:
        body = json.loads(request.body or b"")
    except ValueError:
        return "the body is not JSON"
    return None if fits(body, schema) else f"the body is {body}"


FRAMING = {"content-length", "transfer-encoding", "host", "connection", "expect", "upgrade"}
"""Headers for which a request is refused in plain text before routing; see `test_payloads`."""

EXAMPLES = int(os.environ.get("OUTLAY_TEST_EXAMPLES", "4"))

CHECKS: list[Any] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    refuses_violations,
]


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    """An organization with one of everything."""
    return make_world(server)


@pytest.fixture(scope="module")
def schema(server: Server) -> Any:
    """The OpenAPI document as it is served."""
    description = httpx.get(f"{server.url}/openapi.json").json()
    loaded = schemathesis.openapi.from_dict(description)
    loaded.config.update(base_url=server.url)
    return loaded


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
@pytest.mark.parametrize("who", [*Role, None], ids=lambda role: role or "anonymous")
def test_no_server_error_and_no_accepted_violation(
    schema: Any, world: World, who: Role | None, mode: GenerationMode
) -> None:
    headers = world.people[who].bearer if who else {}
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        tried += 1
        strategy = operation.as_strategy(generation_mode=mode)

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=strategy)
        def ask(case: Any) -> None:
            for name in FRAMING & {name.lower() for name in case.headers or {}}:
                del case.headers[name]
            case.call_and_validate(headers=headers, checks=CHECKS)

        ask()
    assert tried > 50
    assert httpx.get(f"{world.server.url}/api/v1/me", headers=headers).status_code == (
        200 if who else 401
    )


def test_responses_match_the_schema_for_every_parameter_value(schema: Any, world: World) -> None:
    """The random test above tries few pairs of an operation and a value."""
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        definition = schema.raw_schema["paths"][operation.path][operation.method]
        if operation.method != "get" or "{" in operation.path:
            continue
        for parameter in definition.get("parameters", []):
            for value in parameter["schema"].get("enum", []):
                case = operation.Case(query={parameter["name"]: value})
                answer = case.call(headers=world.people[Role.OWNER].bearer)
                case.validate_response(answer, checks=CHECKS)
                tried += 1
    assert tried > 100


def test_openapi_document_is_public_and_describes_errors(server: Server) -> None:
    description = httpx.get(f"{server.url}/openapi.json").json()
    operations = [
        operation for path in description["paths"].values() for operation in path.values()
    ]
    world = make_world(server, Plan.FREE)
    answer = httpx.get(f"{server.url}/api/v1/groups", headers=world.people[Role.OWNER].bearer)

    assert len(operations) > 50
    assert all("403" in operation["responses"] for operation in operations)
    required = description["components"]["schemas"]["Problem"]["required"]
    assert set(required) <= set(answer.json())
    assert answer.json()["code"] == "plan-required"


def test_generated_clients_know_response_and_event_fields(server: Server) -> None:
    """With stable names: a generator derives the names of functions and types from them."""
    description = httpx.get(f"{server.url}/openapi.json").json()
    operations = {
        operation["operationId"]: operation
        for path in description["paths"].values()
        for operation in path.values()
    }
    answer = operations["getAnalyticsActivity"]["responses"]["200"]["content"]["application/json"]
    schemas = description["components"]["schemas"]
    event = schemas["UsageEvent"]
    body = operations["postV1UsageEvents"]["requestBody"]["content"]["application/json"]["schema"]

    assert len(operations) == sum(map(len, description["paths"].values()))
    kinds = [schemas[kind["$ref"].rpartition("/")[2]] for kind in answer["schema"]["anyOf"]]
    assert kinds == [schemas["UsageActivity"], schemas["ActivitySeries"]]
    totals = kinds[0]["properties"]["totals"]["$ref"].rpartition("/")[2]
    assert schemas[totals]["properties"]["requestCount"]["type"] == "integer"
    assert "cost" in schemas[totals]["properties"]
    assert {"eventId", "eventTime", "model"} <= event["properties"].keys()
    assert body["anyOf"][1] == {"$ref": "#/components/schemas/UsageEvent"}


def test_every_answer_has_a_type_that_its_example_fits(server: Server) -> None:
    description = httpx.get(f"{server.url}/openapi.json").json()
    typed = exemplified = 0
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/json")
                if not status.startswith("2") or content is None:
                    continue
                typed += 1
                schema = content["schema"]
                assert schema.keys() & {"$ref", "anyOf", "items"}, (method, path)
                if "example" in content:
                    exemplified += 1
                    whole = {**schema, "components": description["components"]}
                    validator = jsonschema_rs.validator_for(whole, validate_formats=True)
                    faults = [str(fault) for fault in validator.iter_errors(content["example"])]
                    assert faults == [], (method, path)
    assert typed > 60
    assert exemplified > 15
