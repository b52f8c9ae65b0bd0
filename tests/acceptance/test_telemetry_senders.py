"""Real OpenTelemetry senders: each call counts once and completely.

The attributes are those that the named version writes.
"""

import json
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_requests import ask
from tests.acceptance.test_traces import detailed, logged, send, span, value_of

FAILED = {"status": {"code": 2}}


@pytest.fixture
def tenant(server: Server) -> Tenant:
    return server.tenant()


def named(parent: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """A span with attributes under the given names."""
    pairs = attributes.pop("attributes")
    made = span(parent)
    made["attributes"] = [{"key": key, "value": value_of(value)} for key, value in pairs.items()]
    return {**made, **attributes}


def tokens_of(request: dict[str, Any]) -> tuple[int, int, int, int]:
    tokens = request["tokens"]
    return (
        request["inputTokens"],
        request["outputTokens"],
        tokens["cacheRead"],
        tokens["cacheWrite"],
    )


def test_langfuse_chat_uses_openai_counters(server: Server, tenant: Tenant) -> None:
    usage = {
        "prompt_tokens": 1_000,
        "completion_tokens": 200,
        "total_tokens": 1_200,
        "prompt_tokens_details": {"cached_tokens": 400, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 50},
    }
    send(
        server,
        tenant,
        named(
            attributes={
                "langfuse.observation.type": "generation",
                "langfuse.observation.model.name": "gpt-4o",
                "langfuse.observation.usage_details": json.dumps(usage),
            }
        ),
    )

    request = detailed(server, tenant)
    assert tokens_of(request) == (1_000, 200, 400, 0)
    assert request["tokens"]["reasoning"] == 50
    assert request["costSource"] == "computed"


def test_langfuse_responses_have_usage_details(server: Server, tenant: Tenant) -> None:
    usage = {
        "input_tokens": 3_072,
        "output_tokens": 20,
        "total_tokens": 3_092,
        "input_tokens_details": {"cached_tokens": 100},
        "output_tokens_details": {"reasoning_tokens": 7},
    }
    send(
        server,
        tenant,
        named(
            attributes={
                "langfuse.observation.type": "generation",
                "langfuse.observation.model.name": "gpt-5",
                "langfuse.observation.usage_details": json.dumps(usage),
            }
        ),
    )

    request = detailed(server, tenant)
    assert tokens_of(request) == (3_072, 20, 100, 0)
    assert request["tokens"]["reasoning"] == 7


def test_failed_langfuse_call_is_a_failure(server: Server, tenant: Tenant) -> None:
    send(
        server,
        tenant,
        named(
            attributes={
                "langfuse.observation.type": "generation",
                "langfuse.observation.model.name": "gpt-4o",
                "langfuse.observation.level": "ERROR",
                "langfuse.observation.status_message": "Rate limit reached",
            }
        ),
    )

    assert detailed(server, tenant)["status"] == "upstream_error"


def test_langfuse_path_accepts_traces(server: Server, tenant: Tenant) -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [named(attributes=TRACELOOP)]}]}]}
    answer = server.http.post(
        "/api/public/otel/v1/traces", json=body, auth=("pk-lf-any", tenant.token)
    )

    assert answer.status_code == 200, answer.text
    assert len(logged(server, tenant)) == 1


def vercel(step: str, **more: Any) -> dict[str, Any]:
    return {
        "ai.operationId": step,
        "ai.model.id": "claude-sonnet-4-5",
        "ai.model.provider": "anthropic.messages",
        "ai.telemetry.functionId": "summarize",
        "ai.telemetry.metadata.userId": "u-7",
        "ai.telemetry.metadata.sessionId": "s-1",
        **more,
    }


def test_vercel_ai_sdk_steps_count_with_their_cache(server: Server, tenant: Tenant) -> None:
    sums = {"ai.usage.inputTokens": 2_000, "ai.usage.outputTokens": 60}
    outer = named(attributes=vercel("ai.streamText", **sums))
    step = named(
        outer,
        attributes=vercel(
            "ai.streamText.doStream",
            **{
                "gen_ai.system": "anthropic.messages",
                "gen_ai.request.model": "claude-sonnet-4-5",
                "ai.usage.inputTokens": 1_000,
                "ai.usage.outputTokens": 30,
                "ai.usage.cachedInputTokens": 200,
                "ai.usage.inputTokenDetails.cacheWriteTokens": 50,
                "ai.response.msToFirstChunk": 125.5,
                "ai.response.id": "msg_1",
            },
        ),
    )
    send(server, tenant, step, outer)

    request = detailed(server, tenant)
    assert tokens_of(request) == (1_000, 30, 200, 50)
    assert (request["provider"], request["isStream"]) == ("anthropic", True)
    assert request["timeToFirstTokenMs"] == 125.5
    assert (request["endUser"], request["app"]) == ("u-7", "summarize")
    assert (request["responseId"], request["operation"]) == ("msg_1", "chat")


def test_vercel_ai_sdk_embeddings_count(server: Server, tenant: Tenant) -> None:
    told = {
        "ai.operationId": "ai.embed.doEmbed",
        "ai.model.id": "text-embedding-3-small",
        "ai.model.provider": "openai.embedding",
        "ai.usage.tokens": 12,
    }
    send(server, tenant, named(attributes=told))

    request = detailed(server, tenant)
    assert (request["inputTokens"], request["operation"]) == (12, "embeddings")
    assert (request["provider"], request["costSource"]) == ("openai", "computed")


def test_vercel_ai_sdk_failures_count_once_per_try(server: Server, tenant: Tenant) -> None:
    outer = named(attributes=vercel("ai.generateText"), **FAILED)
    tries = [
        named(outer, attributes=vercel("ai.generateText.doGenerate"), **FAILED) for _ in range(3)
    ]
    send(server, tenant, *tries, outer)

    found = logged(server, tenant)
    assert [one["status"] for one in found] == ["upstream_error"] * 3
    assert {one["mapping"] for one in found} == {"anthropic/claude-sonnet-4-5"}


def logfire(kind: str, **more: Any) -> dict[str, Any]:
    asked = {"model": "gpt-4o", "stream": True, "messages": []}
    return {
        "logfire.span_type": kind,
        "request_data": json.dumps(asked),
        "gen_ai.request.model": "gpt-4o",
        **more,
    }


def test_logfire_stream_is_one_call(server: Server, tenant: Tenant) -> None:
    usage = {"gen_ai.usage.input_tokens": 11, "gen_ai.usage.output_tokens": 4}
    began = named(attributes=logfire("span", **{"gen_ai.operation.name": "chat"}))
    ended = named(attributes=logfire("log", duration=1.5, **usage))
    ended["startTimeUnixNano"] = ended["endTimeUnixNano"]
    pending = named(attributes=logfire("pending_span", **{"gen_ai.operation.name": "chat"}))
    send(server, tenant, pending, began)
    send(server, tenant, ended)

    request = detailed(server, tenant)
    assert tokens_of(request) == (11, 4, 0, 0)
    assert (request["isStream"], request["latencyMs"]) == (True, 1500)


def test_logfire_stream_without_counts_has_unknown_usage(server: Server, tenant: Tenant) -> None:
    send(server, tenant, named(attributes=logfire("span")), named(attributes=logfire("log")))

    request = detailed(server, tenant)
    assert (request["usageSource"], request["mapping"]) == ("unknown", "openai/gpt-4o")


def test_logfire_stream_that_failed_to_start_counts(server: Server, tenant: Tenant) -> None:
    told = logfire("span", **{"gen_ai.operation.name": "chat"})
    send(server, tenant, named(attributes=told, **FAILED))

    assert detailed(server, tenant)["status"] == "upstream_error"


def test_failed_openinference_call_has_its_model(server: Server, tenant: Tenant) -> None:
    told = {
        "openinference.span.kind": "LLM",
        "llm.system": "openai",
        "llm.invocation_parameters": json.dumps({"model": "gpt-4o", "temperature": 1}),
    }
    send(server, tenant, named(attributes=told, **FAILED))

    request = detailed(server, tenant)
    assert (request["mapping"], request["status"]) == ("openai/gpt-4o", "upstream_error")


TRACELOOP = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.is_streaming": True,
    "gen_ai.usage.input_tokens": 30,
    "gen_ai.usage.output_tokens": 5,
}


def test_traceloop_streams_are_recognised(server: Server, tenant: Tenant) -> None:
    send(server, tenant, named(attributes=TRACELOOP))

    assert detailed(server, tenant)["isStream"] is True


def test_anthropic_spans_report_one_hour_cache_writes(server: Server, tenant: Tenant) -> None:
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.input_tokens": 1_000,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_creation.input_tokens": 600,
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 500,
        "anthropic.response.service_tier": "batch",
    }
    send(server, tenant, named(attributes=told))

    request = detailed(server, tenant)
    assert request["tokens"]["cacheWrite1h"] == 500
    assert request["priceContext"] == "processing=batch"


def test_codex_model_is_taken_from_the_parent_span(server: Server, tenant: Tenant) -> None:
    turn = named(
        attributes={
            "service.name": "codex_exec",
            "model": "gpt-5.5",
            "codex.turn.token_usage.input_tokens": 12_000,
        }
    )
    receiving = named(turn, attributes={"service.name": "codex_exec"})
    handling = named(
        receiving,
        attributes={
            "service.name": "codex_exec",
            "gen_ai.usage.input_tokens": 12_000,
            "gen_ai.usage.cache_read.input_tokens": 8_000,
            "gen_ai.usage.output_tokens": 900,
            "codex.usage.reasoning_output_tokens": 250,
            "codex.usage.total_tokens": 12_900,
        },
    )
    answer = send(server, tenant, handling, receiving, turn)

    assert answer == {}
    request = detailed(server, tenant)
    assert (request["mapping"], request["app"]) == ("openai/gpt-5.5", "Codex")
    assert tokens_of(request) == (12_000, 900, 8_000, 0)
    assert request["tokens"]["reasoning"] == 250


CLAUDE_CODE = {
    "service.name": "claude-code",
    "span.type": "llm_request",
    "session.id": "cec62d6f",
    "model": "claude-opus-4-5",
    "input_tokens": 5_000,
    "output_tokens": 1_200,
    "cache_read_tokens": 800,
    "cache_creation_tokens": 70,
    "ttft_ms": 640,
    "attempt": 2,
    "success": True,
    "gen_ai.response.id": "req_1",
}


def test_claude_code_cached_tokens_are_added_to_the_input(server: Server, tenant: Tenant) -> None:
    send(server, tenant, named(attributes=CLAUDE_CODE))

    request = detailed(server, tenant)
    assert tokens_of(request) == (5_870, 1_200, 800, 70)
    assert (request["mapping"], request["app"]) == ("anthropic/claude-opus-4-5", "Claude Code")
    assert (request["timeToFirstTokenMs"], request["isStream"]) == (640, True)
    (stored,) = server.services.ledger.read_window(
        tenant.organization.organization_id, 0, 2**62, 2**62
    )
    assert "cec62d6f" in stored


def test_failed_claude_code_request_counts(server: Server, tenant: Tenant) -> None:
    told = {
        "service.name": "claude-code",
        "span.type": "llm_request",
        "model": "claude-opus-4-5",
        "success": False,
        "status_code": 529,
        "error": "Overloaded: what was asked stands here",
    }
    send(server, tenant, named(attributes=told))

    request = detailed(server, tenant)
    assert (request["status"], request["httpStatus"]) == ("upstream_error", 529)
    assert "asked" not in json.dumps(request)


def test_only_the_calls_of_each_sender_are_recorded(server: Server, tenant: Tenant) -> None:
    """The totals of a mixture of senders."""
    send(
        server,
        tenant,
        named(attributes=CLAUDE_CODE),
        named(attributes=TRACELOOP),
        named(attributes=logfire("span")),
    )
    logged(server, tenant)

    window = {"from": "2026-11-20", "to": "2026-11-20", "timezone": "UTC"}
    totals = ask(server, tenant, "/api/v1/analytics/activity", **window)["totals"]
    assert (totals["requestCount"], totals["inputTokens"]) == (2, 5_900)
