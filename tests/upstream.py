"""An upstream that keeps its own record and misbehaves on request.

Written on plain sockets, so that it can send what no HTTP library would. Its instructions are in
the request's `x-script` header; its record is what gateways are compared with.
"""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Served:
    """One request as the upstream received it."""

    number: int
    path: str
    headers: dict[str, str]
    body: bytes
    script: dict[str, Any]
    response_id: str = ""
    usage: dict[str, Any] | None = None
    """Its count, whether or not it was sent."""
    sent: int = 0
    """Pieces of the answer that were sent."""

    @property
    def json(self) -> dict[str, Any]:
        """The body, decoded."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


@dataclass
class Upstream:
    """A running upstream."""

    port: int = 0
    served: list[Served] = field(default_factory=list)
    open_connections: int = 0

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def last(self) -> Served:
        """The latest request."""
        return self.served[-1]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.open_connections += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side has disconnected, or the upstream is being stopped
        finally:
            self.open_connections -= 1
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").rstrip().split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (entry.partition(":") for entry in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        script = json.loads(headers.get("x-script", "{}")) or script_in(body)
        served = Served(len(self.served) + 1, line.split()[1], headers, body, script)
        self.served.append(served)
        return await answer(served, writer)


def script_in(body: bytes) -> dict[str, Any]:
    """The script in a body, if it is too long for a header."""
    if b'"script"' not in body:
        return {}
    script: dict[str, Any] = json.loads(body).get("script", {})
    return script


async def answer(served: Served, writer: asyncio.StreamWriter) -> bool:
    """Send the answer that the script requests; returns whether the connection continues."""
    script = served.script
    if served.path.endswith("/models"):
        listed = {"id": "gpt-5.5", "created": 1_750_000_000, "capabilities": {"vision": True}}
        models = {"object": "list", "data": [listed, {"id": "gpt-5.5-mini", "created": 0}]}
        await _write_whole(writer, 200, json.dumps(models).encode())
        return True
    if script.get("reset") == "before":
        _reset(writer)
        return False
    if "stall" in script and script["stall"] == "before":
        await asyncio.sleep(script.get("seconds", 3600))
    if "flood" in script:
        return await _flood(writer, script["flood"])
    if "informational" in script:
        return await _hint(writer, script["informational"])
    if "raw" in script:
        writer.write(script["raw"].encode("latin-1"))
        await writer.drain()
        writer.close()
        return False
    if "status" in script:
        kind = script.get("type", "application/json")
        text = script.get("text", json.dumps({"error": {"message": "no", "type": "x"}}))
        extra = "".join(f"{name}: {value}\r\n" for name, value in script.get("headers", {}).items())
        await _write_whole(writer, script["status"], text.encode(), kind, extra)
        return True
    pieces, kind = make_answer(served)
    if not kind.startswith("text/event-stream"):
        return await _write_body(writer, script, b"".join(pieces), kind, served)
    return await _write_stream(writer, script, pieces, kind, served)


async def _flood(writer: asyncio.StreamWriter, size: int) -> bool:
    """A stream of many bytes that is never held in memory."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    event = b"data: " + b"x" * 16_376 + b"\n\n"
    for _ in range(size // len(event)):
        writer.write(event)
        await writer.drain()
    writer.close()
    return False


async def _hint(writer: asyncio.StreamWriter, count: int) -> bool:
    """Informational responses, and no final one."""
    hint = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 1_000
    for _ in range(count // 1_000):
        writer.write(hint)
        await writer.drain()
    writer.close()
    return False


async def _write_whole(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    kind: str = "application/json",
    extra: str = "",
) -> None:
    writer.write(
        f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{extra}"
        f"content-length: {len(body)}\r\nset-cookie: secret=1\r\n\r\n".encode()
        + body
    )
    await writer.drain()


async def _write_body(
    writer: asyncio.StreamWriter, script: dict[str, Any], body: bytes, kind: str, served: Served
) -> bool:
    length = len(body) + script.get("extra_length", 0)
    writer.write(
        f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n".encode()
    )
    cut = script.get("cut")
    await _write_pieces(writer, script, _cut(body[:cut], script.get("sizes")), served)
    if cut is None and not script.get("extra_length"):
        return True
    _leave(writer, script)
    return False


async def _write_stream(
    writer: asyncio.StreamWriter,
    script: dict[str, Any],
    pieces: list[bytes],
    kind: str,
    served: Served,
) -> bool:
    writer.write(
        f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    )
    if "sizes" in script:
        pieces = _cut(b"".join(pieces), script["sizes"])
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces[: script.get("cut")]]
    await _write_pieces(writer, script, chunks, served)
    if "half" in script:
        writer.write(b"ff\r\nhalf a chu")
        await writer.drain()
        writer.close()
        return False
    if "cut" in script:
        _leave(writer, script)
        return False
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def _write_pieces(
    writer: asyncio.StreamWriter, script: dict[str, Any], pieces: list[bytes], served: Served
) -> None:
    """Write the pieces of an answer at the pace of the script."""
    for piece in pieces:
        writer.write(piece)
        served.sent += 1
        await writer.drain()
        if pause := script.get("pause"):
            await asyncio.sleep(pause)
    if script.get("stall") == "after":
        await asyncio.sleep(script.get("seconds", 3600))


def _leave(writer: asyncio.StreamWriter, script: dict[str, Any]) -> None:
    """End the connection within an answer."""
    if script.get("reset") == "after":
        _reset(writer)
    else:
        writer.close()


def _cut(body: bytes, sizes: list[int] | None) -> list[bytes]:
    """The bytes in pieces of the given sizes, the last of which repeats."""
    if not sizes:
        return [body]
    pieces, position, index = [], 0, 0
    while position < len(body):
        size = sizes[min(index, len(sizes) - 1)]
        pieces.append(body[position : position + size])
        position, index = position + size, index + 1
    return pieces


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def make_answer(served: Served) -> tuple[list[bytes], str]:
    """The answer's pieces and content type, for any API."""
    asked = served.json if served.body.startswith(b"{") else {}
    operation = served.path.partition("?")[0].removeprefix("/v1/")
    return _MAKERS[operation](served, asked)


def _chat(served: Served, asked: dict[str, Any]) -> tuple[list[bytes], str]:
    script, number = served.script, served.number
    served.response_id = f"chatcmpl-{number}"
    words = [f"word{number}-{index} " for index in range(script.get("words", 5))]
    usage = {
        "prompt_tokens": 10 + number,
        "completion_tokens": len(words),
        "total_tokens": 10 + number + len(words),
        "prompt_tokens_details": {"cached_tokens": number % 7},
        "completion_tokens_details": {"reasoning_tokens": number % 3},
    }
    served.usage = usage
    counts = script.get("usage", usage)
    head = {"id": served.response_id, "model": asked["model"], "created": 1}
    text = "text" if "prompt" in asked else None
    if not asked.get("stream"):
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
        if text:
            choice["text"] = "".join(words)
        else:
            choice["message"] = {"role": "assistant", "content": "".join(words)}
            if "tools" in asked:
                choice["message"]["tool_calls"] = [_tool_call()]
        body = {**head, "object": "chat.completion", "choices": [choice], "usage": counts}
        return [_dump(body, script)], "application/json"
    wants_usage = (asked.get("stream_options") or {}).get("include_usage")
    head["object"] = "chat.completion.chunk"
    pieces = []
    if script.get("role"):
        choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        pieces.append(_event({**head, "choices": [choice]}, script))
    for word in words:
        choice = {"index": 0, "finish_reason": None}
        choice |= {"text": word} if text else {"delta": {"content": word}}
        pieces.append(_event({**head, "choices": [choice]}, script))
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    pieces.append(_event({**head, "choices": [last]}, script))
    if wants_usage and counts != "missing":
        pieces.append(_event({**head, "choices": [], "usage": counts}, script))
    pieces += [piece.encode("latin-1") for piece in script.get("more", [])]
    if not script.get("no_done"):
        pieces.append(b"data: [DONE]\n\n")
    pieces += [piece.encode("latin-1") for piece in script.get("junk", [])]
    return pieces, "text/event-stream; charset=utf-8"


def _tool_call() -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    return {"id": "call_1", "type": "function", "function": function}


def _embeddings(served: Served, asked: dict[str, Any]) -> tuple[list[bytes], str]:
    served.usage = {"prompt_tokens": 3 + served.number, "total_tokens": 3 + served.number}
    vector = {"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}
    body = {"object": "list", "data": [vector], "model": asked["model"], "usage": served.usage}
    if served.script.get("usage"):
        del body["usage"]
    return [_dump(body, served.script)], "application/json"


def _responses(served: Served, asked: dict[str, Any]) -> tuple[list[bytes], str]:
    script, number = served.script, served.number
    served.response_id = f"resp_{number}"
    words = [f"word{number}-{index} " for index in range(script.get("words", 5))]
    served.usage = {
        "input_tokens": 20 + number,
        "input_tokens_details": {"cached_tokens": number % 5},
        "output_tokens": len(words),
        "output_tokens_details": {"reasoning_tokens": number % 2},
        "total_tokens": 20 + number + len(words),
    }
    content = {"type": "output_text", "text": "".join(words), "annotations": []}
    message = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [content],
    }
    response = {
        "id": served.response_id,
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "model": asked["model"],
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": script.get("usage", served.usage),
    }
    if not asked.get("stream"):
        return [_dump(response, script)], "application/json"
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    pieces = [_typed({"type": "response.created", "sequence_number": 0, "response": begun})]
    pieces += [
        _typed(
            {
                "type": "response.output_text.delta",
                "sequence_number": index + 1,
                "item_id": "msg_1",
                "output_index": 0,
                "content_index": 0,
                "delta": word,
                "logprobs": [],
            }
        )
        for index, word in enumerate(words)
    ]
    ended = {"type": "response.completed", "sequence_number": 99, "response": response}
    return [*pieces, _typed(ended)], "text/event-stream"


def _messages(served: Served, asked: dict[str, Any]) -> tuple[list[bytes], str]:
    script, number = served.script, served.number
    served.response_id = f"msg_{number}"
    words = [f"word{number}-{index} " for index in range(script.get("words", 5))]
    served.usage = {
        "input_tokens": 7 + number,
        "cache_read_input_tokens": 100 + number,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
        "output_tokens": len(words),
        "service_tier": "standard",
    }
    message = {
        "id": served.response_id,
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [{"type": "text", "text": "".join(words)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": script.get("usage", served.usage),
    }
    if not asked.get("stream"):
        return [_dump(message, script)], "application/json"
    first = {**served.usage, "output_tokens": 1}
    begun = {**message, "content": [], "stop_reason": None, "usage": first}
    block = {"type": "text", "text": ""}
    pieces = [
        _typed({"type": "message_start", "message": begun}),
        _typed({"type": "content_block_start", "index": 0, "content_block": block}),
        _typed({"type": "ping"}),
    ]
    pieces += [
        _typed(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": word},
            }
        )
        for word in words
    ]
    pieces.append(_typed({"type": "content_block_stop", "index": 0}))
    ending = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
    if script.get("usage") != "missing":
        ending["usage"] = script.get("usage", {"output_tokens": len(words)})
    return [*pieces, _typed(ending), _typed({"type": "message_stop"})], "text/event-stream"


def _count_tokens(served: Served, asked: dict[str, Any]) -> tuple[list[bytes], str]:
    return [b'{"input_tokens": 42}'], "application/json"


def _images(served: Served, asked: dict[str, Any]) -> tuple[list[bytes], str]:
    served.usage = {"input_tokens": 12, "output_tokens": 1056, "total_tokens": 1068}
    body = {"created": 1, "data": [{"b64_json": "A" * 100}], "usage": served.usage}
    return [_dump(body, served.script)], "application/json"


def _transcriptions(served: Served, asked: dict[str, Any]) -> tuple[list[bytes], str]:
    served.usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}
    return [json.dumps({"text": "hello", "usage": served.usage}).encode()], "application/json"


def _speech(served: Served, asked: dict[str, Any]) -> tuple[list[bytes], str]:
    return [bytes(range(256)) * 64], "audio/mpeg"


_MAKERS: dict[str, Callable[[Served, dict[str, Any]], tuple[list[bytes], str]]] = {
    "chat/completions": _chat,
    "completions": _chat,
    "embeddings": _embeddings,
    "responses": _responses,
    "messages": _messages,
    "messages/count_tokens": _count_tokens,
    "images/generations": _images,
    "audio/transcriptions": _transcriptions,
    "audio/speech": _speech,
}


def _dump(body: dict[str, Any], script: dict[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False)
    for old, new in script.get("replace", []):
        text = text.replace(old, new)
    prefix: str = script.get("prefix", "")
    return prefix.encode("latin-1") + text.encode()


def _event(body: dict[str, Any], script: dict[str, Any]) -> bytes:
    newline: bytes = script.get("newline", "\n").encode()
    return b"data: " + _dump(body, script) + newline + newline


def _typed(body: dict[str, Any]) -> bytes:
    return f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode()


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    """An upstream on loopback, in its own thread."""
    upstream = Upstream()
    loop = asyncio.new_event_loop()
    started = threading.Event()
    stop: asyncio.Event | None = None

    async def serve() -> None:
        nonlocal stop
        stop = asyncio.Event()
        server = await asyncio.start_server(upstream.handle, "127.0.0.1", 0, limit=2**26)
        upstream.port = server.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    started.wait()
    try:
        yield upstream
    finally:
        if stop is not None:
            loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
