"""Fast path for complete answers of OpenAI and compatible APIs."""

from typing import Any, Final

import msgspec

from outlay.wire.answer import Answer, text_of
from outlay.wire.openai.tools import Item, note_tool_usage, note_tools


class _Body(msgspec.Struct):
    """A complete answer of the usual shape; its text is skipped, because there are token counts."""

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
    """Read a complete answer that has usage and no error; returns whether it had."""
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
