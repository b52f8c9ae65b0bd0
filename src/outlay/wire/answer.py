"""What an upstream's answer says about usage, gathered while its bytes pass by."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from outlay.domain.event import MAX_TEXT
from outlay.domain.usage import MAX_TOKENS, TokenUsage
from outlay.wire.counters import Counted, read_cost, read_counters

Fields = dict[str, Any]
"""A decoded JSON object."""

SEARCH_CONTEXT_SIZES: Final = ("low", "medium", "high")
"""Perplexity's fee per request is by this size, which its usage tells."""

STANDARD_TIERS: Final = frozenset({"", "auto", "default", "standard", "standard_only"})
"""Service tiers that are billed at the list price."""


@dataclass(slots=True)
class Answer:
    """An answer as far as it has been read."""

    usage: TokenUsage | None = None
    """The last usable count; None while there is none."""
    usage_so_far: TokenUsage | None = None
    """What was counted when the answer began: its input is final, its output is not."""
    counters: dict[str, Any] = field(default_factory=dict)
    """The provider's own counters, where later events replace some of them."""
    is_complete: bool = False
    """Whether the provider has said that nothing follows."""
    has_finished: bool = False
    """Whether the provider has given a reason for the end of the text."""
    is_error: bool = False
    """Whether the provider has answered with an error, whatever the status."""
    is_pending: bool = False
    """Whether the provider has only taken the request, and answers later."""
    is_opaque: bool = False
    """Whether it was not looked into, so that nothing is known of its text either."""
    has_content: bool = False
    """Whether something of the answer itself has come: text, reasoning, a call of a tool, sound or
    a picture; what only says that it has begun is none."""
    text_bytes: int = 0
    """UTF-8 bytes of generated text, for an estimate where nobody counted."""
    response_id: str = ""
    response_model: str = ""
    price_context: dict[str, str] = field(default_factory=dict)
    reported_cost_pusd: int | None = None
    meters: dict[str, int] = field(default_factory=dict)
    """What else is billed, by the names of `domain.meter.METERS`."""
    unread: set[str] = field(default_factory=set)
    """Counters that nobody here understands."""

    def note_usage(self, usage: object) -> None:
        """Take a usage object. The last that counts anything stands: some send running counts."""
        if not isinstance(usage, dict):
            return
        counted = read_counters(usage)
        if counted.usage is not None and (self.usage is None or any(counted.usage)):
            self.usage = counted.usage
        self.note_counted(counted)
        if usage.get("search_context_size") in SEARCH_CONTEXT_SIZES:
            self.price_context["search_context_size"] = usage["search_context_size"]
        cost = read_cost(usage)
        if cost is not None:
            self.reported_cost_pusd = cost

    def note_counted(self, counted: Counted) -> None:
        """Take what is counted beside tokens."""
        for name, quantity in counted.meters.items():
            self.meters[name] = max(quantity, self.meters.get(name, 0))
        self.unread.update(counted.unread)

    def note_head(self, fields: Fields) -> None:
        """Take id and model from an object that carries them."""
        if not self.response_id:
            self.response_id = text_of(fields.get("id"))
        if not self.response_model:
            self.response_model = text_of(fields.get("model"))

    def note_tier(self, tier: object) -> None:
        """Take the service tier that was used, where it has a price of its own."""
        self.price_context |= tier_context(tier)

    def note_parts(self, parts: object) -> None:
        """Count the text of a list of parts, those of reasoning in it included."""
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                self.note_text(part.get("text"))
                self.note_parts(part.get("thinking"))

    def note_text(self, text: object) -> None:
        """Count generated text."""
        if isinstance(text, str) and text:
            self.has_content = True
            # UTF-8 length; the usual case needs no encoding to know it.
            self.text_bytes += len(text) if text.isascii() else len(text.encode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Format:
    """How to read the answers of one operation."""

    read_event: Callable[[Answer, Fields], None]
    """Takes what one event of a stream says."""
    read_body: Callable[[Answer, Fields], None]
    """Takes what a whole answer says."""
    read_usual: Callable[[Answer, bytes], bool] | None = None
    """Takes what a whole answer says when it is as it should be; False, having taken nothing,
    when it is not. Several times faster than taking nothing for granted."""


def tier_context(tier: object) -> dict[str, str]:
    """What a service tier selects a price by; nothing where it has no price of its own."""
    if not isinstance(tier, str) or tier.lower() in STANDARD_TIERS or len(tier) > 64:
        return {}
    return {"processing": "batch"} if tier.lower() == "batch" else {"service_tier": tier.lower()}


def text_of(value: object) -> str:
    """A label from a stranger: printable, at most MAX_TEXT characters, empty for anything else."""
    if not isinstance(value, str):
        return ""
    if value.isascii() and value.isprintable():
        return value[:MAX_TEXT]
    kept = "".join(letter for letter in value if letter.isprintable())
    return kept.encode(errors="ignore").decode()[:MAX_TEXT]


def count_of(value: object) -> int | None:
    """A token count; None for anything that cannot be one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MAX_TOKENS else None


def part_of(fields: object, name: str) -> int:
    """A count that is part of another, 0 where it is missing or cannot be one."""
    return (count_of(fields.get(name)) or 0) if isinstance(fields, dict) else 0


def object_of(fields: Fields, name: str) -> Fields:
    """A nested object, empty where there is none."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def list_of(fields: Fields, name: str) -> list[Any]:
    """A nested list, empty where there is none."""
    value = fields.get(name)
    return value if isinstance(value, list) else []
