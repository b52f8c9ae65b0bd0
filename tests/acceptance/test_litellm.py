"""Payloads of LiteLLM's logger: a captured body, its variations, and the mapping of each field."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_api import summary

URL = "/v1/ingest/litellm"
CAPTURED = json.loads(
    (Path(__file__).parent.parent / "data" / "litellm_generic_api_batch.json").read_bytes()
)
for _name in ("startTime", "endTime", "completionStartTime"):
    CAPTURED[0][_name] -= 86_400  # the tests' clock is a few hours before the capture


@pytest.fixture
def tenant(server: Server) -> Tenant:
    return server.tenant()


def payload(**changes: Any) -> dict[str, Any]:
    """The captured payload with other fields; two underscores lead into an object."""
    made: dict[str, Any] = copy.deepcopy(CAPTURED[0])
    for path, value in changes.items():
        *into, name = path.split("__")
        owner = made
        for part in into:
            if not isinstance(owner.get(part), dict):
                owner[part] = {}
            owner = owner[part]
        owner[name] = value
    return made


def failure(**changes: Any) -> dict[str, Any]:
    """A failed call in LiteLLM's format."""
    return payload(
        **{
            "status": "failure",
            "custom_llm_provider": None,
            "cost_breakdown": None,
            "response_cost": 0,
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "metadata__usage_object": None,
            "error_information__error_code": "429",
            "error_information__error_class": "RateLimitError",
            "error_information__llm_provider": "openai",
            **changes,
        }
    )


def send(server: Server, tenant: Tenant, body: Any, query: str = "") -> dict[str, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = server.http.post(URL + query, content=content, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def only(server: Server, tenant: Tenant) -> dict[str, Any]:
    """The only request, with all of its recorded data."""
    server.services.projection.catch_up()
    (listed,) = server.http.get("/api/v1/requests?preset=all", headers=tenant.headers).json()[
        "requests"
    ]
    answer = server.http.get(f"/api/v1/requests/{listed['eventId']}", headers=tenant.headers)
    found: dict[str, Any] = answer.json()
    return found


def test_captured_body_is_parsed(server: Server, tenant: Tenant) -> None:
    answer = send(server, tenant, CAPTURED)

    assert (answer["accepted"], answer["duplicate"], answer["conflict"]) == (1, 0, 0)
    request = only(server, tenant)
    assert request["eventId"] == "5d24110e-e0a6-4255-869c-119ce90149da"
    assert request["time"] == "2026-11-19T20:06:39.700872Z"
    assert (request["provider"], request["mapping"]) == ("openai", "openai/gpt-5.4")
    assert (request["inputTokens"], request["outputTokens"]) == (1_200, 300)
    assert (request["tokens"]["cacheRead"], request["tokens"]["reasoning"]) == (1_024, 256)
    # 176 at $2.50, 1,024 at $0.25 and 300 at $15 a million: LiteLLM's result without its float
    assert request["cost"] == 0.005196
    assert (request["costSource"], request["costs"]["reported"]) == ("computed", 0.005196)
    assert request["project"] == {"id": "team-1", "label": "team-1"}
    assert request["apiKey"] == {"id": "deadbeef", "label": "deadbeef"}
    assert request["user"] == {"id": "u1", "label": "u1"}
    assert (request["endUser"], request["app"]) == ("end-user-7", "demo")
    assert request["latencyMs"] == 475.458
    assert (request["isStream"], request["timeToFirstTokenMs"]) == (False, None)
    assert (request["responseId"], request["usageSource"]) == ("chatcmpl-abc123", "reported")
    assert request["source"] == "litellm"


@pytest.mark.parametrize("form", ["json_array", "ndjson", "single"])
def test_every_body_format_of_the_logger_is_parsed(
    server: Server, tenant: Tenant, form: str
) -> None:
    payloads = [payload(litellm_call_id=f"call-{number}") for number in range(3)]
    if form == "json_array":
        answers = [send(server, tenant, payloads)]
    elif form == "ndjson":
        answers = [send(server, tenant, b"\n".join(json.dumps(p).encode() for p in payloads))]
    else:
        answers = [send(server, tenant, p) for p in payloads]

    assert sum(answer["accepted"] for answer in answers) == 3


def test_repeated_calls_count_once(server: Server, tenant: Tenant) -> None:
    send(server, tenant, CAPTURED)
    again = send(server, tenant, CAPTURED * 3)
    other = send(server, tenant, payload(completion_tokens=301))

    assert (again["accepted"], again["duplicate"]) == (0, 3)
    assert (other["conflict"], other["results"][0]["outcome"]) == (1, "conflict")
    server.services.projection.catch_up()
    assert summary(server, tenant)["outputTokens"] == 300


def test_failed_try_is_recorded_with_the_successful_one(server: Server, tenant: Tenant) -> None:
    answer = send(server, tenant, [failure(), failure(), payload()])

    assert [result["outcome"] for result in answer["results"]] == [
        "accepted",
        "duplicate",
        "accepted",
    ]
    server.services.projection.catch_up()
    totals = summary(server, tenant)
    assert (totals["requestCount"], totals["errorCount"]) == (2, 1)


@pytest.mark.parametrize(
    ("code", "status", "http_status"),
    [
        ("429", "upstream_error", 429),
        ("400", "client_error", 400),
        ("503", "upstream_error", 503),
        ("", "upstream_error", None),
        ("timeout", "upstream_error", None),
    ],
)
def test_failures_are_attributed_to_client_or_provider(
    server: Server, tenant: Tenant, code: str, status: str, http_status: int | None
) -> None:
    send(server, tenant, failure(error_information__error_code=code))

    request = only(server, tenant)
    assert (request["status"], request["httpStatus"]) == (status, http_status)
    assert (request["provider"], request["errorCode"]) == ("openai", "RateLimitError")
    assert (request["cost"], request["costSource"]) == (0, "computed")


def test_teams_map_to_projects_or_user_groups(server: Server, tenant: Tenant) -> None:
    named = payload(litellm_call_id="as-project", metadata__user_api_key_team_alias="Growth")
    send(server, tenant, named)
    first = only(server, tenant)
    send(server, tenant, {**named, "litellm_call_id": "as-group"}, "?teams=groups")
    second = server.http.get("/api/v1/requests/as-group", headers=tenant.headers).json()
    send(
        server,
        tenant,
        payload(
            litellm_call_id="with-project",
            metadata__user_api_key_project_id="p-9",
            metadata__user_api_key_project_alias="Checkout",
        ),
    )
    third = server.http.get("/api/v1/requests/with-project", headers=tenant.headers).json()

    assert (first["project"], first["groups"]) == ({"id": "team-1", "label": "Growth"}, [])
    assert second["project"] is None
    assert second["groups"] == [{"id": "team-1", "label": "Growth"}]
    assert third["project"] == {"id": "p-9", "label": "Checkout"}


def test_members_keys_and_apps_are_shown_by_name(server: Server, tenant: Tenant) -> None:
    send(
        server,
        tenant,
        payload(
            metadata__user_api_key_alias="search-prod",
            metadata__user_api_key_user_email="ada@example.test",
            end_user="customer-3",
            request_tags=["User-Agent: curl/8", "blue"],
            metadata__requester_metadata={
                "headers": {"HTTP-Referer": "https://www.shop.example/cart", "x-title": ""}
            },
        ),
    )

    request = only(server, tenant)
    assert request["apiKey"] == {"id": "deadbeef", "label": "search-prod"}
    assert request["user"] == {"id": "ada@example.test", "label": "ada@example.test"}
    assert (request["endUser"], request["app"]) == ("customer-3", "shop.example")


def test_member_is_recognised_by_e_mail_address(server: Server, tenant: Tenant) -> None:
    member = tenant.member
    send(server, tenant, payload(metadata__user_api_key_user_email=member.email.upper()))

    assert only(server, tenant)["user"] == {"id": member.member_id, "label": member.name}


def test_cached_answer_has_no_usage(server: Server, tenant: Tenant) -> None:
    send(server, tenant, payload(cache_hit=True, response_cost=0.0))

    request = only(server, tenant)
    assert (request["totalTokens"], request["cost"], request["costSource"]) == (0, 0, "computed")


def test_stream_has_a_time_to_first_token(server: Server, tenant: Tenant) -> None:
    send(
        server,
        tenant,
        payload(stream=True, completionStartTime=CAPTURED[0]["startTime"] + 0.125),
    )

    request = only(server, tenant)
    assert (request["isStream"], request["timeToFirstTokenMs"]) == (True, 125)


def test_anthropic_cache_is_split_by_kind(server: Server, tenant: Tenant) -> None:
    send(
        server,
        tenant,
        payload(
            custom_llm_provider="anthropic",
            model="claude-sonnet-4-5",
            hidden_params__litellm_model_name=None,
            metadata__usage_object={
                "prompt_tokens": 1_200,
                "completion_tokens": 300,
                "cache_read_input_tokens": 700,
                "cache_creation_input_tokens": 200,
                "prompt_tokens_details": {
                    "cached_tokens": 700,
                    "cache_creation_token_details": {"ephemeral_1h_input_tokens": 50},
                },
            },
        ),
    )

    tokens = only(server, tenant)["tokens"]
    assert (tokens["cacheRead"], tokens["cacheWrite"], tokens["cacheWrite1h"]) == (700, 200, 50)


def test_unknown_price_falls_back_to_the_reported_cost(server: Server, tenant: Tenant) -> None:
    send(
        server,
        tenant,
        payload(custom_llm_provider="hosted_vllm", model="house-model", hidden_params=None),
    )

    request = only(server, tenant)
    assert (request["mapping"], request["costSource"]) == ("hosted_vllm/house-model", "reported")
    assert request["cost"] == 0.005196


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"litellm_call_id": None, "id": None}, "$[1].litellm_call_id"),
        ({"startTime": "yesterday"}, "$[1].startTime"),
    ],
)
def test_invalid_payload_is_named_and_nothing_is_stored(
    server: Server, tenant: Tenant, changes: dict[str, Any], field: str
) -> None:
    body = [CAPTURED[0], payload(**changes)]
    answer = server.http.post(URL, json=body, headers=tenant.headers)

    assert (answer.status_code, answer.json()["field"]) == (400, field)
    server.services.projection.catch_up()
    assert summary(server, tenant)["requestCount"] == 0


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda part: (
        st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3)
    ),
    max_leaves=8,
)
PATHS = [
    *CAPTURED[0],
    *(f"metadata__{name}" for name in CAPTURED[0]["metadata"]),
    *(f"error_information__{name}" for name in CAPTURED[0]["error_information"]),
    "metadata__usage_object__prompt_tokens_details",
    "hidden_params__litellm_model_name",
    "metadata__requester_metadata__headers",
]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(PATHS), ANYTHING, max_size=4))
def test_arbitrary_payloads_do_not_crash(
    server: Server, tenant: Tenant, changes: dict[str, Any]
) -> None:
    server.services.projection.catch_up()
    before = summary(server, tenant)["requestCount"]
    ordered = dict(sorted(changes.items(), key=lambda item: item[0].count("__")))
    body = [payload(litellm_call_id="whole"), payload(**ordered)]
    answer = server.http.post(
        URL, content=json.dumps(body).encode(errors="replace"), headers=tenant.headers
    )

    assert answer.status_code in {200, 400}, answer.text
    server.services.projection.catch_up()
    stored = summary(server, tenant)["requestCount"] - before
    assert stored <= (2 if answer.status_code == 200 else 0)
