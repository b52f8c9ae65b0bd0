"""Bodies with many objects: a JSON array, one object per line (NDJSON), or a single one."""

import re
from io import BytesIO
from typing import Final, Generic, TypeVar

import msgspec

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid

MAX_EVENTS: Final = 10_000
"""Maximum number of events in one body."""

_OBJECT: Final = re.compile(rb"\s*\{")

Kind = TypeVar("Kind")


class Objects(Generic[Kind]):
    """Parser of bodies with objects of one kind."""

    def __init__(self, kind: type[Kind]) -> None:
        self._many = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]  # known at run time
        self._one = msgspec.json.Decoder(kind)

    def parse(self, body: bytes) -> list[Kind]:
        """The objects of a body.

        Raises Invalid with the index of the event (not counting blank lines) and the field.
        """
        try:
            found = self._decode(body)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `")
            path = path.rstrip("`")
            raise Invalid(
                f"`{path or 'body'}`: {message}.", code=ErrorCode.INVALID_EVENT, field=path or None
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid(
                "The body is neither a JSON array of events nor one event per line: "
                f"{_malformed_line(body)}{error}.",
                code=ErrorCode.MALFORMED_JSON,
            ) from error
        if len(found) > MAX_EVENTS:
            raise Invalid(f"A body can hold at most {MAX_EVENTS:,} events. Split it.")
        return found

    def _decode(self, body: bytes) -> list[Kind]:
        if not _OBJECT.match(body):
            return self._many.decode(body)
        try:
            return self._one.decode_lines(body)
        except msgspec.DecodeError as error:
            is_one_over_lines = not isinstance(error, msgspec.ValidationError) and _is_json(body)
            if not is_one_over_lines:
                raise
        return self._many.decode(b"[" + body + b"]")


def _malformed_line(body: bytes) -> str:
    """The number of the line that is not JSON, if there is one event per line."""
    if _OBJECT.match(body):
        for number, line in enumerate(BytesIO(body), 1):
            if line.strip() and not _is_json(line):
                return f"line {number}: "
    return ""


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
