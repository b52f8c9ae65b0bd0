"""Whole answers of OpenAI and of the many that imitate it, read quickly when nothing is unusual."""

from typing import Any, Final

import msgspec

from outlay.wire.answer import Answer, text_of
from outlay.wire.openai.tools import Item, note_tool_usage, note_tools


class _Body(msgspec.Struct):
    """A whole answer without trouble; its text is skipped, as somebody has counted it."""

    usage: dict[str, Any]
    id: str = ""
    model: str = ""
    status: str = ""
    error: None = None
    service_tier: str | None = None
    output: list[Item] | None = None
    tool_usage: dict[str, Any] | None = None


_decode_body: Final = msgspec.json.Decoder(_Body).decode


def read_usual(answer: Answer, body: bytes) -> bool:
    """Take what a whole answer says when it has a usage and no error; whether it had."""
    try:
        found = _decode_body(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    if found.status == "failed":
        return False
    answer.note_usage(found.usage)
    if answer.usage is None:
        answer.meters, answer.unread, answer.reported_cost_pusd = {}, set(), None
        return False
    answer.response_id = text_of(found.id)
    answer.response_model = text_of(found.model)
    answer.note_tier(found.service_tier)
    if found.output:
        note_tools(answer, found.output)
    note_tool_usage(answer, found.tool_usage)
    return True
