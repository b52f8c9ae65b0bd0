"""Usage in an upstream's answer, collected while its bytes are relayed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from outlay.domain.event import MAX_TEXT
from outlay.domain.usage import MAX_TOKENS, TokenUsage
from outlay.wire.counters import Counted, read_cost, read_counters

Fields = dict[str, Any]
"""A decoded JSON object."""

SEARCH_CONTEXT_SIZES: Final = ("low", "medium", "high")
"""Perplexity's fee per request depends on this size, which is in its usage object."""

STANDARD_TIERS: Final = frozenset({"", "auto", "default", "standard", "standard_only"})
"""Service tiers that are billed at the list price."""


@dataclass(slots=True)
class Answer:
    """The state of an answer as read so far."""

    usage: TokenUsage | None = None
    """The last usable token counts; None before there are any."""
    usage_so_far: TokenUsage | None = None
    """The counts at the start of the answer: the input is final, the output is not."""
    counters: dict[str, Any] = field(default_factory=dict)
    """The provider's own counters; later events replace some of them."""
    is_complete: bool = False
    """Whether the provider has marked the end of the answer."""
    has_finished: bool = False
    """Whether the provider has given a finish reason."""
    is_error: bool = False
    """Whether the provider has returned an error, whatever the status."""
    is_pending: bool = False
    """Whether the provider has only accepted the request and answers later."""
    is_opaque: bool = False
    """Whether the answer was not parsed, so that even its text length is unknown."""
    has_content: bool = False
    """Whether any content has arrived: text, reasoning, a tool call, audio or an image. Events that
    only announce the start do not count.
    """
    text_bytes: int = 0
    """UTF-8 bytes of generated text, for an estimate if there are no token counts."""
    response_id: str = ""
    response_model: str = ""
    price_context: dict[str, str] = field(default_factory=dict)
    reported_cost_pusd: int | None = None
    meters: dict[str, int] = field(default_factory=dict)
    """Other billed quantities, by the names of `domain.meter.METERS`."""
    unread: set[str] = field(default_factory=set)
    """Counters that the parser does not know."""

    def note_usage(self, usage: object) -> None:
        """Apply a usage object. The last one that counts anything wins, because some providers send
        running counts.
        """
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
        """Apply counts other than tokens."""
        for name, quantity in counted.meters.items():
            self.meters[name] = max(quantity, self.meters.get(name, 0))
        self.unread.update(counted.unread)

    def note_head(self, fields: Fields) -> None:
        """Take the id and model from an object that has them."""
        if not self.response_id:
            self.response_id = text_of(fields.get("id"))
        if not self.response_model:
            self.response_model = text_of(fields.get("model"))

    def note_tier(self, tier: object) -> None:
        """Note the service tier if it has its own price."""
        self.price_context |= tier_context(tier)

    def note_parts(self, parts: object) -> None:
        """Count the text of a list of parts, including reasoning."""
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                self.note_text(part.get("text"))
                self.note_parts(part.get("thinking"))

    def note_text(self, text: object) -> None:
        """Count generated text."""
        if isinstance(text, str) and text:
            self.has_content = True
            # UTF-8 length; plain ASCII needs no encoding.
            self.text_bytes += len(text) if text.isascii() else len(text.encode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Format:
    """How to read the answers of one operation."""

    read_event: Callable[[Answer, Fields], None]
    """Applies one event of a stream."""
    read_body: Callable[[Answer, Fields], None]
    """Applies a complete body."""
    read_usual: Callable[[Answer, bytes], bool] | None = None
    """Fast path: applies a complete body of the usual shape. Returns False, without applying
    anything, for any other shape. Several times faster than the general reader.
    """


def tier_context(tier: object) -> dict[str, str]:
    """The price context of a service tier; empty if the tier has no price of its own."""
    if not isinstance(tier, str) or tier.lower() in STANDARD_TIERS or len(tier) > 64:
        return {}
    return {"processing": "batch"} if tier.lower() == "batch" else {"service_tier": tier.lower()}


def text_of(value: object) -> str:
    """A label from untrusted input: printable, at most MAX_TEXT characters, empty for anything
    else.
    """
    if not isinstance(value, str):
        return ""
    if value.isascii() and value.isprintable():
        return value[:MAX_TEXT]
    kept = "".join(letter for letter in value if letter.isprintable())
    return kept.encode(errors="ignore").decode()[:MAX_TEXT]


def count_of(value: object) -> int | None:
    """A token count; None for any other value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MAX_TOKENS else None


def part_of(fields: object, name: str) -> int:
    """A count that is part of another; 0 if it is missing or invalid."""
    return (count_of(fields.get(name)) or 0) if isinstance(fields, dict) else 0


def object_of(fields: Fields, name: str) -> Fields:
    """A nested object; empty if there is none."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def list_of(fields: Fields, name: str) -> list[Any]:
    """A nested list; empty if there is none."""
    value = fields.get(name)
    return value if isinstance(value, list) else []
