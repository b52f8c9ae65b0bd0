"""Parsing a client's request body (model, stream, maximum output) and rewriting it for another
model.

Only the necessary members are read and rewritten. Every other value is passed on byte for byte, so
numbers and escapes stay as the client wrote them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.wire.answer import text_of
from outlay.wire.caller import tags_in
from outlay.wire.end_users import end_user_of
from outlay.wire.estimate import BYTES_PER_TOKEN

MAX_REQUEST_BYTES: Final = 32 * 1024 * 1024


class _Json(msgspec.Struct):
    """The members of a request body that the gateway reads."""

    model: Any = None
    stream: Any = None
    stream_options: Any = None
    user: Any = None
    safety_identifier: Any = None
    metadata: Any = None


_decode: Final = msgspec.json.Decoder(_Json).decode
_decode_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

_DECIDING: Final = (b'"model"', b'"stream"', b'"stream_options"')

_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
"""An escape in a JSON string; both halves of a surrogate pair are one."""

_ESCAPE_BYTES: Final = 6
_SURROGATES: Final = frozenset({b"d8", b"d9", b"da", b"db", b"dc", b"dd", b"de", b"df"})

_TEXT_MEMBERS: Final = ("messages", "input", "prompt", "system", "instructions", "tools")
_MEDIA_MEMBERS: Final = frozenset({"data", "b64_json", "file_data", "image_url", "url", "source"})

MEDIA_TOKENS: Final = 5_000
"""Upper bound for the tokens of an image or file, whose size in tokens is unknown beforehand: more
than the large providers count for an image.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request body, parsed as far as needed."""

    body: bytes
    readable: bytes = b""
    """The body without what JSON parsers reject; empty for forms."""
    content_type: str = "application/json"
    model: str
    is_stream: bool = False
    user: str = ""
    """The user that the body names."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """The tags in the body's metadata."""
    wants_usage: bool = True
    """Whether the client asked for usage at the end of a stream."""
    stream_options: Mapping[str, Any] = field(default_factory=dict)


def parse_json_call(body: bytes) -> Call:
    """Parse a JSON body."""
    try:
        found, readable = _read(body)
    except msgspec.ValidationError as error:
        raise Invalid("The body must be a JSON object.", code=ErrorCode.INVALID_BODY) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(
            f"The body is not valid JSON: {error}.", code=ErrorCode.MALFORMED_JSON
        ) from error
    except RecursionError as error:
        raise Invalid("The body is nested too deeply.", code=ErrorCode.MALFORMED_JSON) from error
    if any(body.count(name) > 1 for name in _DECIDING):
        _refuse_duplicates(readable)
    if not isinstance(found.model, str) or not found.model:
        raise Invalid("The body must name a model.", code=ErrorCode.MODEL_REQUIRED, field="model")
    options = found.stream_options if isinstance(found.stream_options, dict) else {}
    metadata = found.metadata if isinstance(found.metadata, dict) else {}
    return Call(
        body=body,
        readable=readable,
        model=found.model,
        is_stream=found.stream is True,
        user=end_user_of(found.user)
        or end_user_of(metadata.get("user_id"))
        or end_user_of(found.safety_identifier),
        tags=tags_in(metadata) if metadata else {},
        wants_usage=options.get("include_usage") is True,
        stream_options=options,
    )


def _read(body: bytes) -> tuple[_Json, bytes]:
    """The members of a body, and the body in the form that could be parsed.

    Half of a surrogate pair, left over when text was cut in the middle of a character, is read as
    U+FFFD. Providers do not agree on it, so the gateway does not reject it.
    """
    try:
        return _decode(body), body
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if isinstance(error, msgspec.ValidationError) or b"\\u" not in body:
            raise
        mended = _ESCAPE.sub(_mend, body)
        return _decode(mended), mended


def _mend(found: re.Match[bytes]) -> bytes:
    escape = found[0]
    is_half = len(escape) == _ESCAPE_BYTES and escape[2:4].lower() in _SURROGATES
    return b"\\ufffd" if is_half else escape


def _refuse_duplicates(body: bytes) -> None:
    """Raise Invalid if a relevant member occurs twice: the upstream might read the other one."""

    def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {"": [name for name, _ in pairs]}

    names = json.loads(body, object_pairs_hook=check)[""]
    for name in ("model", "stream", "stream_options"):
        if names.count(name) > 1:
            raise Invalid(
                f"The body has {name!r} twice.", code=ErrorCode.DUPLICATE_MEMBER, field=name
            )


def rewrite_json(call: Call, *, model: str, asks_usage: bool) -> bytes:
    """The body with another model, and with a request for usage if needed; otherwise unchanged."""
    if model == call.model and not asks_usage:
        return call.body
    members = _decode_members(call.readable)
    if model != call.model:
        members["model"] = msgspec.Raw(_encode(model))
    if asks_usage:
        options = {**call.stream_options, "include_usage": True}
        members["stream_options"] = msgspec.Raw(_encode(options))
    return _encode(members)


_PART_HEAD: Final = re.compile(
    rb"content-disposition:[^\r\n]*;\s*name=\"?(model|stream|user)\"?\s*(?:;[^\r\n]*)?\r\n",
    re.IGNORECASE,
)


def parse_form_call(body: bytes, content_type: str) -> Call:
    """Parse a multipart form (RFC 7578), the format of transcription requests."""
    parts = {name: body[start:end] for name, start, end in _form_parts(body, content_type)}
    model = text_of(parts.get("model", b"").decode(errors="replace"))
    if not model:
        raise Invalid("The form must name a model.", code=ErrorCode.MODEL_REQUIRED, field="model")
    return Call(
        body=body,
        content_type=content_type,
        model=model,
        is_stream=parts.get("stream", b"").strip().lower() == b"true",
        user=end_user_of(parts.get("user", b"").decode(errors="replace")),
    )


def rewrite_form(call: Call, *, model: str) -> bytes:
    """The form with another model; otherwise unchanged."""
    if model == call.model:
        return call.body
    for name, start, end in _form_parts(call.body, call.content_type):
        if name == "model":
            return call.body[:start] + model.encode() + call.body[end:]
    raise AssertionError("a form that was parsed has its model")


def _form_parts(body: bytes, content_type: str) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of the values of the relevant parts."""
    found = re.search(r'boundary="?([^";,\s]{1,70})"?', content_type, re.IGNORECASE)
    if found is None:
        raise Invalid("The form has no boundary.", code=ErrorCode.INVALID_BODY)
    delimiter = b"--" + found[1].encode("latin-1")
    seen = set()
    position = body.find(delimiter)
    while position >= 0:
        head = position + len(delimiter)
        start = body.find(b"\r\n\r\n", head)
        position = body.find(b"\r\n" + delimiter, head)
        if start < 0 or position < 0 or start > position:
            continue
        if name := _PART_HEAD.search(body, head, start + 2):
            label = name[1].decode().lower()
            if label in seen:
                raise Invalid(f"The form has {label!r} twice.", code=ErrorCode.DUPLICATE_MEMBER)
            seen.add(label)
            yield label, start + 4, position
        position += 2


def text_bytes(call: Call) -> int:
    """UTF-8 bytes of the text in a JSON body, from which its tokens are estimated.

    Base64 and links of images and files are left out, as their length does not determine their
    tokens.
    """
    body = _object(call)
    size = 0
    pending = [body.get(name) for name in _TEXT_MEMBERS]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            pending.extend(item for name, item in value.items() if name not in _MEDIA_MEMBERS)
        else:
            size += _text_size(value)
    return size


def prompt_bytes(call: Call) -> int:
    """Bytes of everything that a provider may count as text, plus an allowance for images and
    files.

    More than `text_bytes`: every member counts, names included, because this bounds the cost.
    """
    size = 0
    pending: list[Any] = [_object(call)]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            size += sum(_text_size(name) for name in value)
            is_text = value.get("type") == "text"
            for name, item in value.items():
                if isinstance(item, str) and name in _MEDIA_MEMBERS and not is_text:
                    size += MEDIA_TOKENS * BYTES_PER_TOKEN
                else:
                    pending.append(item)
        elif isinstance(value, list):
            pending.extend(value)
        else:
            size += _text_size(value)
    return size


def _object(call: Call) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(call.readable)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _text_size(value: object) -> int:
    """Bytes of a text. A number counts as one token id or as its digits."""
    if isinstance(value, str):
        return len(value.encode(errors="replace"))
    return BYTES_PER_TOKEN if type(value) is int else 0
