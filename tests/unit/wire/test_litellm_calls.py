"""LiteLLM's call types: polls, batches, and answers that are only queued."""

import json
from typing import Any

import pytest

from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.wire.litellm.payload import parse_payloads


def reports(**changes: Any) -> list[UsageReport]:
    payload = {
        "id": "batch_1",
        "litellm_call_id": "call-1",
        "call_type": "aretrieve_batch",
        "status": "success",
        "custom_llm_provider": "openai",
        "model": "gpt-5.5",
        "startTime": 1795832397.1,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "response_cost": 0.0,
        "metadata": {},
        **changes,
    }
    return parse_payloads(json.dumps(payload).encode())


@pytest.mark.parametrize(
    "call_type",
    ["acreate_batch", "aretrieve_batch", "retrieve_batch", "afile_content", "acreate_file"],
)
def test_starting_and_polling_calls_are_not_requests(call_type: str) -> None:
    assert reports(call_type=call_type) == []


def test_finished_batch_is_identified_and_priced_as_batch() -> None:
    (report,) = reports(prompt_tokens=1000, completion_tokens=10, response_cost=1.5)

    assert (report.operation, report.price_context) == ("batch", {"processing": "batch"})
    assert (report.response_id, report.provider_batch_id) == ("batch_1", "batch_1")


def test_failed_poll_is_reported() -> None:
    (report,) = reports(status="failure", error_information={"error_code": "404"})

    assert (report.http_status, report.usage) == (404, TokenUsage())


def test_queued_response_has_unknown_usage_and_cached_one_none() -> None:
    (queued,) = reports(call_type="aresponses", id="resp_1")
    (cached,) = reports(call_type="aresponses", id="resp_1", cache_hit=True)
    (done,) = reports(call_type="aget_responses", id="resp_1", prompt_tokens=7, completion_tokens=1)

    assert (queued.usage, cached.usage) == (None, TokenUsage())
    assert (done.usage, done.operation) == (TokenUsage(7, 1), "responses")
    assert reports(call_type="aget_responses", id="resp_1") == []
