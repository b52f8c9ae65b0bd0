"""Which event of a stream is the first with content, in each dialect."""

import json
from typing import Any

import pytest

from outlay.wire.answer import Format
from outlay.wire.answer_reader import StreamReader
from outlay.wire.anthropic.messages import MESSAGES
from outlay.wire.openai.chat import CHAT, MEDIA
from outlay.wire.openai.responses import RESPONSES


def delta(**fields: Any) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def block(**fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": fields}


def block_delta(**fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": fields}


def item(kind: str) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": 0, "item": {"type": kind}}


ROLE = delta(role="assistant", content="")
TOOL = delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": ""}}])
USAGE = {"id": "c1", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
MISTRAL_THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "So"}]}
START = {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1}}}
CREATED = {"type": "response.created", "response": {"id": "r", "status": "in_progress"}}

STREAMS: list[tuple[str, Format, list[dict[str, Any]], dict[str, Any]]] = [
    ("chat text", CHAT, [ROLE], delta(content="Hi")),
    ("chat null content", CHAT, [ROLE, delta(content=None)], delta(content="Hi")),
    ("chat reasoning", CHAT, [ROLE], delta(reasoning_content="So")),
    ("chat reasoning of OpenRouter", CHAT, [ROLE], delta(reasoning="So")),
    ("chat thinking of Mistral", CHAT, [ROLE], delta(content=[MISTRAL_THINKING])),
    ("chat tool call", CHAT, [ROLE], TOOL),
    ("chat function call", CHAT, [ROLE], delta(function_call={"name": "f", "arguments": ""})),
    ("chat refusal", CHAT, [ROLE], delta(refusal="No")),
    ("chat sound", CHAT, [ROLE], delta(audio={"data": "AAAA"})),
    ("legacy completion", CHAT, [{"choices": [{"text": ""}]}], {"choices": [{"text": "Hi"}]}),
    ("responses text", RESPONSES, [CREATED, item("message")], {"type": "x.delta", "delta": "Hi"}),
    ("responses reasoning", RESPONSES, [item("reasoning")], {"type": "x.delta", "delta": "So"}),
    ("responses tool call", RESPONSES, [CREATED], item("function_call")),
    (
        "responses picture",
        RESPONSES,
        [CREATED],
        {"type": "response.image_generation_call.partial_image", "partial_image_b64": "AAAA"},
    ),
    (
        "messages text",
        MESSAGES,
        [START, block(type="text", text=""), {"type": "ping"}],
        block_delta(type="text_delta", text="Hi"),
    ),
    (
        "messages thinking",
        MESSAGES,
        [START, block(type="thinking", thinking="")],
        block_delta(type="thinking_delta", thinking="So"),
    ),
    ("messages tool call", MESSAGES, [START], block(type="tool_use", name="f", input={})),
    ("transcription", MEDIA, [], {"type": "transcript.text.delta", "delta": "Hi"}),
    ("picture", MEDIA, [], {"type": "image_generation.partial_image", "b64_json": "AAAA"}),
]


@pytest.mark.parametrize(
    ("form", "before", "first"),
    [stream[1:] for stream in STREAMS],
    ids=[stream[0] for stream in STREAMS],
)
def test_content_begins_with_the_first_event_that_has_some(
    form: Format, before: list[dict[str, Any]], first: dict[str, Any]
) -> None:
    reader = StreamReader(form)
    for event in before:
        reader.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
        assert not reader.answer.has_content, event
    last = b"data: " + json.dumps(first).encode() + b"\n\n"
    reader.feed(last[:20])
    reader.feed(last[20:-1])
    assert not reader.answer.has_content, "the event is not whole yet"
    reader.feed(last[-1:])
    assert reader.answer.has_content


@pytest.mark.parametrize("form", [CHAT, RESPONSES, MESSAGES, MEDIA])
def test_usage_errors_and_ends_are_not_content(form: Format) -> None:
    reader = StreamReader(form)
    for event in (
        USAGE,
        {"type": "error", "error": {"message": "no"}},
        {"type": "message_delta", "usage": {"output_tokens": 1}},
        {"type": "response.completed", "response": {"status": "completed"}},
    ):
        reader.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    reader.feed(b": OPENROUTER PROCESSING\n\ndata: [DONE]\n\n")
    assert not reader.answer.has_content
