"""OpenTelemetry traces: the SDK's own exporter with a real server, and every convention."""

import gzip
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_api import summary
from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.domain.ids import OrganizationId
from outlay.kit.clock import to_us
from outlay.services.recording.skipped_telemetry import (
    MAX_KINDS,
    MAX_NAME,
    Reason,
    SkippedKind,
    SkippedTelemetry,
)
from outlay.services.recording.span_deduplication import Tracing
from outlay.wire.otlp.spans import parse_json

_ids = itertools.count(1)
START_NS = (to_us(NOW) - 60_000_000) * 1000


@pytest.fixture
def tenant(server: Server) -> Tenant:
    return server.tenant()


@pytest.fixture
def tracers(server: Server, tenant: Tenant) -> Iterator[TracerProvider]:
    """The SDK as an application configures it."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": "support-bot", "outlay.project": "Search"})
    )
    exporter = OTLPSpanExporter(endpoint=f"{server.url}/v1/traces", headers=tenant.headers)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    yield provider
    provider.shutdown()


def span(parent: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """A span in OTLP's JSON; dots in attribute names are written as two underscores."""
    number = next(_ids)
    return {
        "traceId": parent["traceId"] if parent else f"{number:032x}",
        "spanId": f"{number:016x}",
        "parentSpanId": parent["spanId"] if parent else "",
        "name": "call",
        "startTimeUnixNano": str(START_NS + number * 1000),
        "endTimeUnixNano": str(START_NS + 800_000_000),
        "attributes": [
            {"key": name.replace("__", "."), "value": value_of(value)}
            for name, value in attributes.items()
        ],
    }


def value_of(value: Any) -> dict[str, Any]:
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return {kinds[type(value)]: str(value) if type(value) is int else value}


def call(parent: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A span of one call, with the current conventions."""
    usage = {"gen_ai__usage__input_tokens": 100, "gen_ai__usage__output_tokens": 10}
    named = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "gpt-4o"}
    return span(parent, **{**named, "gen_ai__provider__name": "openai", **usage, **more})


def send(server: Server, tenant: Tenant, *spans: dict[str, Any]) -> dict[str, Any]:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}
    answer = server.http.post("/v1/traces", json=body, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def logged(server: Server, tenant: Tenant) -> list[dict[str, Any]]:
    server.services.projection.catch_up()
    answer = server.http.get("/api/v1/requests?preset=all", headers=tenant.headers)
    found: list[dict[str, Any]] = answer.json()["requests"]
    return found


def counted(server: Server, tenant: Tenant) -> int:
    server.services.projection.catch_up()
    return int(summary(server, tenant)["requestCount"])


def detailed(server: Server, tenant: Tenant) -> dict[str, Any]:
    """The only request, with all of its recorded data."""
    (request,) = logged(server, tenant)
    answer = server.http.get(f"/api/v1/requests/{request['eventId']}", headers=tenant.headers)
    found: dict[str, Any] = answer.json()
    return found


def test_sdk_exporter_is_supported(server: Server, tenant: Tenant, tracers: TracerProvider) -> None:
    tracer = tracers.get_tracer("test")
    start = START_NS
    parent = tracer.start_span("invoke_agent helper", start_time=start)
    parent.set_attributes({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 9})
    child = tracer.start_span(
        "chat gpt-4o", context=trace.set_span_in_context(parent), start_time=start + 1_000
    )
    child.set_attributes(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.usage.input_tokens": 1_000,
            "gen_ai.usage.cache_read.input_tokens": 400,
            "gen_ai.usage.output_tokens": 100,
            "gen_ai.usage.reasoning.output_tokens": 60,
            "gen_ai.request.stream": True,
            "gen_ai.response.time_to_first_chunk": 0.25,
            "user.id": "u-17",
            "outlay.groups": ["Growth", "Sales"],
        }
    )
    child.end(end_time=start + 2_000_000_000)
    parent.end(end_time=start + 3_000_000_000)
    tracers.force_flush()

    request = detailed(server, tenant)
    assert request["mapping"] == "openai/gpt-4o"
    assert (request["inputTokens"], request["outputTokens"]) == (1_000, 100)
    assert (request["tokens"]["cacheRead"], request["tokens"]["reasoning"]) == (400, 60)
    # 600 at $2.50, 400 at $1.25 and 100 at $10 a million
    assert request["cost"] == pytest.approx(0.0015 + 0.0005 + 0.001, abs=1e-15)
    assert request["project"] == {"id": "Search", "label": "Search"}
    assert (request["app"], request["endUser"]) == ("support-bot", "u-17")
    assert [group["label"] for group in request["groups"]] == ["Growth", "Sales"]
    assert (request["isStream"], request["timeToFirstTokenMs"]) == (True, 250)
    assert request["latencyMs"] == pytest.approx(1_999.999)
    assert (request["responseId"], request["source"]) == ("chatcmpl-1", "otel")


CONVENTIONS: dict[str, dict[str, Any]] = {
    "current": {
        "gen_ai__operation__name": "chat",
        "gen_ai__provider__name": "anthropic",
        "gen_ai__request__model": "claude-sonnet-4-5",
        "gen_ai__usage__input_tokens": 1_000,
        "gen_ai__usage__output_tokens": 200,
        "gen_ai__usage__cache_read__input_tokens": 300,
        "gen_ai__usage__cache_write__input_tokens": 100,
        "gen_ai__usage__cost": 0.5,
    },
    "older": {
        "gen_ai__operation__name": "chat",
        "gen_ai__system": "anthropic",
        "gen_ai__request__model": "claude-sonnet-4-5",
        "gen_ai__usage__prompt_tokens": 1_000,
        "gen_ai__usage__completion_tokens": 200,
        "gen_ai__usage__cache_read_input_tokens": 300,
        "gen_ai__usage__cache_creation_input_tokens": 100,
        "gen_ai__usage__total_cost": 0.5,
    },
    "before the rename of cache writes": {
        "gen_ai__operation__name": "chat",
        "gen_ai__system": "anthropic",
        "gen_ai__request__model": "claude-sonnet-4-5",
        "gen_ai__usage__input_tokens": 1_000,
        "gen_ai__usage__output_tokens": 200,
        "gen_ai__usage__cache_read__input_tokens": 300,
        "gen_ai__usage__cache_creation__input_tokens": 100,
        "gen_ai__cost__total": 0.5,
    },
    "cache counted beside the input": {
        "gen_ai__operation__name": "chat",
        "gen_ai__system": "anthropic",
        "gen_ai__request__model": "claude-sonnet-4-5",
        "gen_ai__usage__input_tokens": 0,
        "gen_ai__usage__output_tokens": 200,
        "gen_ai__usage__cache_read__input_tokens": 900,
        "gen_ai__usage__cache_creation__input_tokens": 100,
        "gen_ai__usage__cost": 0.5,
    },
    "OpenInference": {
        "openinference__span__kind": "LLM",
        "llm__provider": "anthropic",
        "llm__model_name": "claude-sonnet-4-5",
        "llm__token_count__prompt": 1_000,
        "llm__token_count__completion": 200,
        "llm__token_count__prompt_details__cache_read": 300,
        "llm__token_count__prompt_details__cache_write": 100,
        "llm__cost__total": 0.5,
    },
    "OpenLLMetry": {
        "llm__request__type": "chat",
        "gen_ai__system": "Anthropic",
        "gen_ai__request__model": "claude-sonnet-4-5",
        "gen_ai__usage__prompt_tokens": 1_000,
        "gen_ai__usage__completion_tokens": 200,
        "llm__usage__total_tokens": 1_200,
        "gen_ai__usage__cache_read_input_tokens": 300,
        "gen_ai__usage__cache_creation_input_tokens": 100,
        "gen_ai__usage__cost": 0.5,
    },
    "Langfuse": {
        "langfuse__observation__type": "generation",
        "langfuse__observation__model__name": "claude-sonnet-4-5",
        "langfuse__observation__usage_details": json.dumps(
            {
                "input": 600,
                "output": 200,
                "cache_read_input_tokens": 300,
                "cache_creation_input_tokens": 100,
                "total": 1_200,
            }
        ),
        "langfuse__observation__cost_details": json.dumps({"total": 0.5}),
    },
    "OpenRouter": {
        "gen_ai__operation__name": "chat",
        "gen_ai__provider__name": "Anthropic",
        "gen_ai__request__model": "anthropic/claude-sonnet-4-5",
        "gen_ai__usage__input_tokens": 1_000,
        "gen_ai__usage__output_tokens": 200,
        "gen_ai__usage__input_tokens.cached": 300,
        "gen_ai__usage__input_tokens.cache_write": 100,
        "gen_ai__usage__total_cost": 0.5,
    },
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_convention_yields_the_same_report(server: Server, tenant: Tenant, name: str) -> None:
    send(server, tenant, span(**CONVENTIONS[name]))

    request = detailed(server, tenant)
    read, write = (900, 100) if name == "cache counted beside the input" else (300, 100)
    assert (request["provider"], request["mapping"]) == ("anthropic", "anthropic/claude-sonnet-4-5")
    assert (request["inputTokens"], request["outputTokens"]) == (1_000, 200)
    assert (request["tokens"]["cacheRead"], request["tokens"]["cacheWrite"]) == (read, write)
    assert request["costs"]["reported"] == 0.5
    assert (request["costSource"], request["usageSource"]) == ("computed", "reported")


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai__operation__name": "invoke_agent", "gen_ai__usage__input_tokens": 5},
        {"gen_ai__operation__name": "execute_tool"},
        {"gen_ai__operation__name": "fetch_response", "gen_ai__usage__input_tokens": 5},
        {"openinference__span__kind": "CHAIN", "llm__token_count__prompt": 5},
        {"traceloop__span__kind": "workflow", "gen_ai__usage__prompt_tokens": 5},
        {"langfuse__observation__type": "span", "langfuse__observation__usage_details": "{}"},
        {"http__request__method": "POST"},
    ],
)
def test_spans_that_are_not_calls_are_skipped(
    server: Server, tenant: Tenant, attributes: dict[str, Any]
) -> None:
    answer = send(server, tenant, span(**attributes))

    assert logged(server, tenant) == []
    # Only spans with tokens are reported to the sender.
    has_tokens = any("usage__" in name or "token" in name for name in attributes)
    assert ("partialSuccess" in answer) == (has_tokens and "{}" not in attributes.values())


def test_skipped_tokens_are_counted_and_named(server: Server, tenant: Tenant) -> None:
    agent = span(gen_ai__operation__name="invoke_agent", gen_ai__usage__input_tokens=5)
    strange = {**span(acme__tokens__sent=12, acme__max_tokens=4096), "name": "acme.ask"}
    bound_only = span(gen_ai__operation__name="plan", gen_ai__request__max_tokens=4096)
    outer = span(gen_ai__operation__name="invoke_agent", gen_ai__usage__input_tokens=100)
    late = {**call(), "startTimeUnixNano": str(START_NS + 10**15)}
    spans = [agent, strange, bound_only, outer, call(outer), late]
    body = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "acme.otel"}, "spans": spans}]}]}
    answer = server.http.post("/v1/traces", json=body, headers=tenant.headers).json()

    partial = answer["partialSuccess"]
    assert partial["rejectedSpans"] == "1"
    assert (
        "1 × invoke_agent of acme.otel (no known model call inside it)" in (partial["errorMessage"])
    )
    assert "1 × acme.ask of acme.otel (unknown convention)" in partial["errorMessage"]
    passed = server.services.skipped_telemetry.counts(tenant.organization.organization_id)
    assert {(one.kind.reason.value, one.kind.operation): one.count for one in passed} == {
        ("noCall", "invoke_agent"): 1,
        ("unknownConvention", "acme.ask"): 1,
        ("rejected", "chat"): 1,
        ("countedElsewhere", "invoke_agent"): 1,
    }
    assert {one.kind.instrumentation for one in passed} == {"acme.otel"}
    assert len(logged(server, tenant)) == 1


def test_names_of_skipped_telemetry_are_bounded() -> None:
    passed = SkippedTelemetry(FixedClock(NOW))
    for number in range(MAX_KINDS + 50):
        passed.note(
            OrganizationId("org"),
            [SkippedKind(Reason.NO_CALL, "library", f"kind {number}" + "x" * 500)],
        )

    found = passed.counts(OrganizationId("org"))
    assert len(found) == MAX_KINDS + 1
    assert sum(one.count for one in found) == MAX_KINDS + 50
    assert max(len(one.kind.operation) for one in found) <= MAX_NAME
    assert passed.counts(OrganizationId("another")) == []


def test_innermost_of_nested_spans_counts(server: Server, tenant: Tenant) -> None:
    framework = call()
    chain = span(framework)
    sdk = call(chain, gen_ai__usage__input_tokens=107)
    sibling = call(chain, gen_ai__usage__input_tokens=211)

    send(server, tenant, framework, chain, sdk, sibling)

    assert sorted(one["inputTokens"] for one in logged(server, tenant)) == [107, 211]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_span_order_does_not_matter(server: Server, tenant: Tenant, order: tuple[int, ...]) -> None:
    framework = call()
    chain = span(framework)
    family = [framework, chain, call(chain)]

    for index in order:
        send(server, tenant, family[index])
    for index in reversed(order):
        send(server, tenant, family[index])  # repeated, as after a lost response

    # From the inside out or from the outside in. If the span in between arrives separately and out
    # of order, which no exporter does, the calls cannot be recognised as one.
    gap = order not in {(0, 1, 2), (2, 1, 0)}
    assert len(logged(server, tenant)) == (2 if gap else 1)


def test_late_gateway_span_of_a_call_is_recognised(server: Server, tenant: Tenant) -> None:
    sdk = call()
    request = span(sdk)
    handling = span(request)
    send(server, tenant, sdk, request)

    send(server, tenant, handling, call(handling))

    assert len(logged(server, tenant)) == 1


def test_trace_state_survives_restarts(server: Server, tenant: Tenant) -> None:
    framework = call()
    send(server, tenant, call(framework))
    services = server.services
    restarted = Tracing(
        services.directory, services.recorder, services.skipped_telemetry, services.clock
    )

    body = {"resourceSpans": [{"scopeSpans": [{"spans": [framework]}]}]}
    restarted.record(tenant.organization.organization_id, parse_json(json.dumps(body).encode()))

    assert len(logged(server, tenant)) == 1


def test_parallel_instrumentations_are_one_call(server: Server, tenant: Tenant) -> None:
    parent = span()

    send(
        server,
        tenant,
        parent,
        call(parent, gen_ai__response__id="resp-1"),
        call(parent, gen_ai__response__id="resp-1"),
    )

    assert len(logged(server, tenant)) == 1


def test_failures_have_a_status(server: Server, tenant: Tenant) -> None:
    named: dict[str, Any] = {
        "gen_ai__operation__name": "chat",
        "gen_ai__request__model": "gpt-4o",
    }
    limited = span(**named, error__type="RateLimitError", http__response__status_code=429)
    refused = span(**named, error__type="400")
    broken = {**span(**named), "status": {"code": 2}}

    send(server, tenant, limited, refused, broken)

    found = logged(server, tenant)
    assert sorted(one["status"] for one in found) == [
        "client_error",
        "upstream_error",
        "upstream_error",
    ]
    assert sum(one["cost"] for one in found) == 0


def test_future_span_is_rejected_individually(server: Server, tenant: Tenant) -> None:
    late = {**call(), "startTimeUnixNano": str(START_NS + 10**15)}

    answer = send(server, tenant, late, call())

    partial = answer["partialSuccess"]
    assert partial["rejectedSpans"] == "1"
    assert "in the future" in partial["errorMessage"]
    assert len(logged(server, tenant)) == 1


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed-json"),
        (b"[]", "application/json", 400, "malformed-json"),
        (b'{"resourceSpans": 7}', "application/json", 400, "invalid-span"),
        (b'{"resourceSpans": [{"scopeSpans": [true]}]}', "application/json", 400, "invalid-span"),
        (b"\xff\xff", "application/x-protobuf", 400, "malformed-protobuf"),
        (b"{}", "text/plain", 415, "unknown-media-type"),
    ],
)
def test_invalid_trace_is_refused(
    server: Server, tenant: Tenant, body: bytes, media_type: str, status: int, code: str
) -> None:
    headers = {**tenant.headers, "Content-Type": media_type}
    answer = server.http.post("/v1/traces", content=body, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("field", "value"),
    [("traceId", "xyz"), ("spanId", 7), ("startTimeUnixNano", "soon"), ("endTimeUnixNano", -1)],
)
def test_invalid_field_is_named_and_nothing_is_stored(
    server: Server, tenant: Tenant, field: str, value: Any
) -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [call(), {**call(), field: value}]}]}]}
    answer = server.http.post("/v1/traces", json=body, headers=tenant.headers)

    assert answer.status_code == 400
    assert f"Span 1: `{field}`" in answer.json()["detail"]
    assert logged(server, tenant) == []


def test_compressed_and_empty_bodies_are_accepted(server: Server, tenant: Tenant) -> None:
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [call()]}]}]}).encode()
    headers = {
        **tenant.headers,
        "Content-Type": "application/json; charset=utf-8",
        "Content-Encoding": "gzip",
    }

    assert server.http.post("/v1/traces", content=gzip.compress(body), headers=headers).json() == {}
    assert send(server, tenant) == {}
    assert len(logged(server, tenant)) == 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda part: (
        st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [name.replace("__", ".") for words in CONVENTIONS.values() for name in words]
    + ["user.id", "outlay.groups", "service.name", "litellm.call_id", "error.type"]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        NAMES,
        st.one_of(
            st.builds(lambda value: {"stringValue": value}, ANYTHING),
            st.builds(lambda value: {"intValue": value}, ANYTHING),
            st.builds(lambda value: {"doubleValue": value}, ANYTHING),
            st.builds(lambda value: {"arrayValue": value}, ANYTHING),
            ANYTHING,
        ),
        max_size=6,
    )
)
def test_arbitrary_attributes_do_not_crash(
    server: Server, tenant: Tenant, attributes: dict[str, Any]
) -> None:
    before = counted(server, tenant)
    odd = {**span(), "attributes": [{"key": k, "value": v} for k, v in attributes.items()]}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [call(), odd]}]}]}
    answer = server.http.post(
        "/v1/traces",
        content=json.dumps(body).encode(errors="replace"),
        headers={**tenant.headers, "Content-Type": "application/json"},
    )

    assert answer.status_code in {200, 400}, answer.text
    stored = counted(server, tenant) - before
    assert stored in ({1, 2} if answer.status_code == 200 else {0})


def test_totals_equal_those_of_the_calls(server: Server, tenant: Tenant) -> None:
    send(server, tenant, *[call(gen_ai__usage__input_tokens=n) for n in range(1, 11)])

    server.services.projection.catch_up()
    assert summary(server, tenant)["inputTokens"] == 55


def test_tokens_reported_only_by_an_agent_are_reported_as_skipped(
    server: Server, tenant: Tenant
) -> None:
    usage: dict[str, Any] = {
        "gen_ai__usage__input_tokens": 100,
        "gen_ai__usage__output_tokens": 10,
    }
    alone = span(gen_ai__operation__name="invoke_agent", **usage)
    agent = span(gen_ai__operation__name="invoke_agent", **usage)

    explained = send(server, tenant, call(agent), agent)
    late = span(gen_ai__operation__name="invoke_agent", **usage)
    below = send(server, tenant, call(late))
    above = send(server, tenant, late)
    missing = send(server, tenant, alone, span(gen_ai__operation__name="execute_tool"))

    assert (explained, below, above) == ({}, {}, {})
    told = missing["partialSuccess"]
    assert told["rejectedSpans"] == "0"
    assert "spans with tokens that were not counted: 1 × invoke_agent" in told["errorMessage"]
