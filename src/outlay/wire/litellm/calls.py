"""LiteLLM call types: their operation, and which of them are not model calls.

Source: BerriAI/litellm `CallTypes` in `litellm/types/utils.py`.
"""

from dataclasses import replace
from typing import Final

from outlay.domain.event import Status
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import BATCH, UsageReport

_OPERATIONS: Final = {
    "embedding": "embeddings",
    "text_completion": "text_completion",
    "responses": "responses",
    "get_responses": "responses",
    "cancel_responses": "responses",
    "image_generation": "image_generation",
    "image_edit": "image_generation",
    "image_variation": "image_generation",
    "transcription": "transcription",
    "speech": "speech",
    "rerank": "rerank",
    "moderation": "moderation",
    "ocr": "ocr",
    "create_video": "video",
    "create_batch": BATCH,
    "retrieve_batch": BATCH,
    "cancel_batch": BATCH,
}
"""Operation by call type, without its `a` for asynchronous; all others are `chat`."""

_ADMINISTRATIVE: Final = frozenset(
    {
        "create_batch",
        "retrieve_batch",
        "cancel_batch",
        "list_batches",
        "get_responses",
        "cancel_responses",
        "delete_responses",
        "list_input_items",
        "create_file",
        "file_retrieve",
        "file_delete",
        "file_list",
        "file_content",
        "create_fine_tuning_job",
        "cancel_fine_tuning_job",
        "list_fine_tuning_jobs",
        "retrieve_fine_tuning_job",
        "video_retrieve",
        "video_content",
        "video_list",
        "video_delete",
    }
)
"""Calls that start, poll or end something; only an answer with usage counts."""


def operation_of(call_type: str) -> str:
    """The operation of a call type such as `acompletion`."""
    return _OPERATIONS.get(call_type) or _OPERATIONS.get(call_type.removeprefix("a")) or "chat"


def is_poll(call_type: str, report: UsageReport) -> bool:
    """Whether a call only started or polled something and used no tokens itself."""
    is_administrative = call_type in _ADMINISTRATIVE or (
        call_type.startswith("a") and call_type[1:] in _ADMINISTRATIVE
    )
    used = (report.usage or TokenUsage()) != TokenUsage() or report.meters
    return is_administrative and not used and not report.reported_cost_pusd


def settled(call_type: str, report: UsageReport, *, is_cached: bool) -> UsageReport:
    """The report adjusted to its call type: batches get batch prices and the batch's id.

    A response that is only queued has counts of zero, which do not predict its usage. An answer
    from LiteLLM's own cache used no tokens.
    """
    if is_cached:  # not the request whose answer, with its id, was cached
        return replace(report, response_id="")
    operation = operation_of(call_type)
    if operation == BATCH:
        return replace(
            report,
            price_context={**report.price_context, "processing": "batch"},
            provider_batch_id=report.provider_batch_id or report.response_id,
        )
    is_uncounted = report.usage == TokenUsage() and not report.reported_cost_pusd
    if operation == "responses" and is_uncounted and report.status is Status.OK:
        return replace(report, usage=None)
    return report
