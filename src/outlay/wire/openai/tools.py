"""Calls of the provider's own tools in an answer of the Responses API, which are billed per call.

OpenAI bills web searches (not the opening of pages), file searches and sessions of the code
interpreter. Images made by a tool are billed as tokens of another model, which are in `tool_usage`.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from outlay.wire.answer import Answer, Fields


class Action(msgspec.Struct):
    """The action of a web search."""

    type: Any = None


class Item(msgspec.Struct):
    """An item of the output, as far as it shows a tool call."""

    type: Any = None
    action: Action | None = None
    container_id: Any = None


_METER_OF: Final = {
    "web_search_call": "web_searches",
    "file_search_call": "storage_searches",
    "x_search_call": "social_searches",
}
_FREE_ACTIONS: Final = frozenset({"open_page", "find_in_page", "find"})


def note_tools(answer: Answer, items: Sequence[Item]) -> None:
    """Count the calls in an output, except those that the usage object already counts."""
    found: dict[str, int] = {}
    containers = set()
    for item in items:
        if item.type == "code_interpreter_call":
            containers.add(item.container_id)
        meter = _METER_OF.get(item.type) if isinstance(item.type, str) else None
        if meter and not (item.action and item.action.type in _FREE_ACTIONS):
            found[meter] = found.get(meter, 0) + 1
    if containers:
        found["code_sessions"] = len(containers)
    for name, count in found.items():
        answer.meters.setdefault(name, count)


def read_items(output: Sequence[object]) -> list[Item]:
    """The items of a decoded output; anything else is left out."""
    items = []
    for item in output:
        try:
            items.append(msgspec.convert(item, Item))
        except msgspec.ValidationError:
            continue
    return items


def note_tool_usage(answer: Answer, usage: Fields | None) -> None:
    """Note the usage of other models by tools: it is billed, but has no list price."""
    for name, counts in (usage or {}).items():
        if isinstance(counts, dict) and any(
            type(count) is int and count > 0 for count in counts.values()
        ):
            answer.unread.add(f"tool_usage.{name}")
