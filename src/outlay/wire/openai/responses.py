"""The Responses API."""

from typing import Final

from outlay.wire.answer import Answer, Fields, Format, list_of, object_of
from outlay.wire.openai.tools import note_tool_usage, note_tools, read_items
from outlay.wire.openai.usage import read_usual

_LAST_EVENTS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})

_PENDING: Final = ("queued", "in_progress")

_CONTENT: Final = frozenset(
    {"response.output_item.added", "response.image_generation_call.partial_image"}
)
_EMPTY_ITEMS: Final = frozenset({"message", "reasoning"})
"""Items that start empty."""


def _is_content(fields: Fields) -> bool:
    """Whether an event that is not a delta has content: an image, or the name of a call."""
    kind = object_of(fields, "item").get("type")
    return kind not in _EMPTY_ITEMS if kind else bool(fields.get("partial_image_b64"))


def _read_event(answer: Answer, fields: Fields) -> None:
    event = fields.get("type")
    if event == "error":
        answer.is_error = answer.is_complete = True
    elif isinstance(event, str) and event.endswith(".delta"):
        answer.note_text(fields.get("delta"))
    elif event in _CONTENT:
        answer.has_content = answer.has_content or _is_content(fields)
    elif response := object_of(fields, "response"):
        answer.note_head(response)
        if event in _LAST_EVENTS:
            answer.is_complete = True
            _read_end(answer, response)


def _read_body(answer: Answer, fields: Fields) -> None:
    answer.note_head(fields)
    _read_end(answer, fields)
    for item in list_of(fields, "output"):
        if isinstance(item, dict):
            answer.note_text(item.get("arguments"))
            for part in list_of(item, "content"):
                if isinstance(part, dict):
                    answer.note_text(part.get("text"))


def _read_end(answer: Answer, response: Fields) -> None:
    if response.get("error") or response.get("status") == "failed":
        answer.is_error = True
    answer.is_pending = response.get("status") in _PENDING
    answer.note_usage(response.get("usage"))
    note_tools(answer, read_items(list_of(response, "output")))
    note_tool_usage(answer, object_of(response, "tool_usage"))
    answer.note_tier(response.get("service_tier"))


RESPONSES: Final = Format(read_event=_read_event, read_body=_read_body, read_usual=read_usual)
