"""Page cursors: the position after a page, as an opaque text for a query string."""

import base64
from typing import TypeVar

import msgspec

from outlay.domain.errors import Invalid

T = TypeVar("T")


def write_cursor(position: object) -> str:
    """Encode a position."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode()


def read_cursor(text: str, kind: type[T]) -> T:
    """Decode a position; raises Invalid if the text is not a cursor of that kind or out of
    bounds."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=kind)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise Invalid("`cursor` is not a cursor from this API.", field="cursor") from error
