"""Chat completions, completions, embeddings, images and transcriptions."""

from typing import Final

from outlay.wire.answer import Answer, Fields, Format, list_of, object_of
from outlay.wire.openai.usage import read_usual

_TEXTS: Final = ("content", "reasoning_content", "reasoning", "refusal")


def _read(answer: Answer, fields: Fields) -> None:
    """Read an event or a complete body, which have the same format."""
    answer.note_head(fields)
    if fields.get("error"):
        answer.is_error = True
    answer.note_usage(fields.get("usage"))
    answer.note_usage(object_of(fields, "x_groq").get("usage"))
    answer.note_tier(fields.get("service_tier"))
    for choice in list_of(fields, "choices"):
        if isinstance(choice, dict):
            _read_choice(answer, choice)
    answer.note_text(fields.get("text"))


def _read_choice(answer: Answer, choice: Fields) -> None:
    answer.note_usage(choice.get("usage"))  # Moonshot
    answer.note_text(choice.get("text"))
    if choice.get("finish_reason") is not None:
        answer.has_finished = True
    message = object_of(choice, "delta") or object_of(choice, "message")
    for name in _TEXTS:
        answer.note_text(message.get(name))
    answer.note_parts(message.get("content"))
    _note_function(answer, message.get("function_call"))
    for call in list_of(message, "tool_calls"):
        if isinstance(call, dict):
            _note_function(answer, call.get("function"))
    if message.get("audio") or message.get("images"):
        answer.has_content = True


def _note_function(answer: Answer, function: object) -> None:
    if isinstance(function, dict):
        answer.note_text(function.get("name"))
        answer.note_text(function.get("arguments"))


def _read_stream(answer: Answer, fields: Fields) -> None:
    _read(answer, fields)
    answer.note_text(fields.get("delta"))
    if fields.get("b64_json"):
        answer.has_content = True
    event = fields.get("type")
    if isinstance(event, str) and event.endswith((".completed", ".done")):
        # Images and transcriptions stream events with their own types.
        answer.is_complete = True


CHAT: Final = Format(read_event=_read, read_body=_read, read_usual=read_usual)
MEDIA: Final = Format(read_event=_read_stream, read_body=_read, read_usual=read_usual)
