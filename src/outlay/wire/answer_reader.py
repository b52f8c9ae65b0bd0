"""Reading an answer while it is relayed: each reader is fed bytes and returns the bytes to pass
on.
"""

import json
from typing import Any, Final, Protocol

import msgspec

from outlay.wire.answer import Answer, Fields, Format
from outlay.wire.sse import END_OF_CR, EventSplitter, event_data

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""Longer bodies are not kept; only their start and end are searched for the usage."""

END_BYTES: Final = 64 * 1024

_DONE: Final = b"[DONE]"


class _Body(msgspec.Struct):
    """The parsed members of a body; everything else, such as vectors or images, is skipped."""

    id: Any = None
    type: Any = None
    model: Any = None
    usage: Any = None
    error: Any = None
    status: Any = None
    choices: Any = None
    output: Any = None
    content: Any = None
    text: Any = None
    service_tier: Any = None
    tool_usage: Any = None
    x_groq: Any = None


_decode_body: Final = msgspec.json.Decoder(_Body).decode
_decode: Final = msgspec.json.Decoder().decode


class AnswerReader(Protocol):
    """Reads the bytes of an answer as they are relayed."""

    answer: Answer

    def feed(self, chunk: bytes) -> bytes:
        """Feed the next bytes; returns those to pass on now."""
        ...

    def finish(self) -> bytes:
        """Signal the end of the upstream's answer; returns the remaining bytes to pass on."""
        ...


class StreamReader:
    """Reader of server-sent events."""

    def __init__(self, form: Format, *, hides_usage: bool = False) -> None:
        """`hides_usage` withholds the usage event that the client did not ask for."""
        self.answer = Answer()
        self._form = form
        self._hides_usage = hides_usage
        self._is_hidden = False
        """Whether the last event is withheld."""
        self._splitter = EventSplitter()

    def feed(self, chunk: bytes) -> bytes:
        """Feed the next bytes; returns those to pass on now."""
        events = self._splitter.feed(chunk)
        if not self._hides_usage:
            for event in events:
                self._read(event)
            return chunk
        passed = []
        for event in events:
            if event != END_OF_CR:  # which belongs to the event before
                self._is_hidden = self._read(event)
            if not self._is_hidden:
                passed.append(event)
        return b"".join(passed)

    def finish(self) -> bytes:
        """Read an event that lacks its blank line; returns the remaining bytes to pass on."""
        rest = self._splitter.rest
        is_hidden = self._read(rest) if rest else False
        return rest if self._hides_usage and not is_hidden else b""

    def _read(self, event: bytes) -> bool:
        """Read an event; returns whether it carries the usage only."""
        data = event_data(event)
        if not data:
            return False
        if data == _DONE:
            self.answer.is_complete = True
            return False
        try:
            fields = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if not isinstance(fields, dict):
            return False
        self._form.read_event(self.answer, fields)
        return fields.get("usage") is not None and fields.get("choices") == []


class BodyReader:
    """Reader of a body that is not streamed."""

    def __init__(self, form: Format) -> None:
        self.answer = Answer()
        self._form = form
        self._chunks: list[bytes] = []
        self._size = 0
        self._head = b""
        self._tail = b""

    def feed(self, chunk: bytes) -> bytes:
        """Feed the next bytes; returns them unchanged."""
        self._size += len(chunk)
        if self._size <= MAX_ANSWER_BYTES:
            self._chunks.append(chunk)
        else:
            if self._chunks:
                kept = b"".join(self._chunks)
                self._head, self._tail = kept[:END_BYTES], kept[-END_BYTES:]
                self._chunks = []
            self._tail = (self._tail + chunk)[-END_BYTES:]
        return chunk

    def finish(self) -> bytes:
        """Read the complete body; nothing is left to pass on."""
        body = b"".join(self._chunks)
        self._chunks = []
        if self._form.read_usual and not self._tail and self._form.read_usual(self.answer, body):
            self.answer.is_complete = True
            return b""
        if self._tail:
            fields = _find_usage(self._tail) or _find_usage(self._head)
        else:
            fields = _read_body(body)
        if fields is not None:
            self._form.read_body(self.answer, fields)
            self.answer.is_complete = True
        return b""


class PassingReader:
    """Reads nothing: for answers without usage, such as audio."""

    def __init__(self) -> None:
        self.answer = Answer(is_opaque=True)

    def feed(self, chunk: bytes) -> bytes:
        """Return the bytes unchanged."""
        return chunk

    def finish(self) -> bytes:
        """Nothing is left to pass on."""
        self.answer.is_complete = True
        return b""


def _read_body(body: bytes) -> Fields | None:
    try:
        found = _decode_body(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return {name: getattr(found, name) for name in _Body.__struct_fields__}


def _find_usage(part: bytes) -> Fields | None:
    """The last `usage` object in a part of a long body."""
    text = part.decode(errors="replace")
    position = text.rfind('"usage"')
    start = text.find("{", position)
    if position < 0 or start < 0:
        return None
    try:
        usage, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return {"usage": usage}
