"""A fake provider for the demo, with instant answers and realistic usage.

It lets users try a first request without a provider account. Only `outlay demo` serves it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from outlay.kit.ids import new_id
from outlay.wire.call import parse_json_call, text_bytes
from outlay.wire.estimate import estimate_tokens

PREFIX: Final = "/demo-provider/v1"
ANSWER: Final = (
    "This answer was generated on your machine. The request is already on the page, with its "
    "tokens and what it would have cost."
)
_WORD_SECONDS: Final = 0.01


def _usage(body: bytes) -> dict[str, Any]:
    prompt = max(1, estimate_tokens(text_bytes(parse_json_call(body))))
    answer = estimate_tokens(len(ANSWER))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
    }


async def chat(scope: Scope, receive: Receive, send: Send) -> None:
    """`POST /chat/completions`."""
    body = await Request(scope, receive).body()
    asked = orjson.loads(body)
    head = {"id": new_id("chatcmpl"), "created": 0, "model": asked["model"]}
    response: ASGIApp
    if asked.get("stream"):
        response = StreamingResponse(_stream(head, _usage(body)), media_type="text/event-stream")
    else:
        message = {"role": "assistant", "content": ANSWER}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(body)}
        response = Response(orjson.dumps(whole), media_type="application/json")
    await response(scope, receive, send)


async def _stream(head: dict[str, Any], usage: dict[str, Any]) -> Any:
    head = {**head, "object": "chat.completion.chunk"}
    for word in ANSWER.split(" "):
        choice = {"index": 0, "delta": {"content": word + " "}, "finish_reason": None}
        yield _event({**head, "choices": [choice]})
        await asyncio.sleep(_WORD_SECONDS)
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield _event({**head, "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


async def messages(scope: Scope, receive: Receive, send: Send) -> None:
    """`POST /messages`, not streamed."""
    body = await Request(scope, receive).body()
    usage = _usage(body)
    answer = {
        "id": new_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": orjson.loads(body)["model"],
        "content": [{"type": "text", "text": ANSWER}],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "output_tokens": usage["completion_tokens"],
        },
    }
    await Response(orjson.dumps(answer), media_type="application/json")(scope, receive, send)


async def models(scope: Scope, receive: Receive, send: Send) -> None:
    """`GET /models`."""
    listed = [{"id": name} for name in ("gpt-5.5", "gpt-5.4-mini", "claude-sonnet-5")]
    answer = Response(orjson.dumps({"data": listed}), media_type="application/json")
    await answer(scope, receive, send)


def _event(fields: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(fields) + b"\n\n"


PROVIDER: Final[Mapping[str, ASGIApp]] = {
    f"{PREFIX}/chat/completions": chat,
    f"{PREFIX}/messages": messages,
    f"{PREFIX}/models": models,
}
"""The application for each path."""
