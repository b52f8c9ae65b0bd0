"""Usage in a row: tokens, meters and unknown counters."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

from outlay.domain.meter import METERS
from outlay.domain.usage import TokenUsage
from outlay.wire.answer import Answer
from outlay.wire.counters import MAX_NAMED, Counted, read_counters
from outlay.wire.files.columns import Row, getter
from outlay.wire.files.fields import Fields
from outlay.wire.langfuse import count_details
from outlay.wire.values import object_in

_COUNT_OF: Final = re.compile(
    "audio|byok|cache|call|char|cost|count|credit|image|minute|page|pixel|quer|quer|request|search"
    "|second|session|token|units?|usage|video",
    re.IGNORECASE,
)
"""Column names whose numbers are usage, or money for it."""
_NO_COUNT: Final = re.compile(r"(^|[._])(id|time|at|date|ms|index|number)$", re.IGNORECASE)
_DEPTH: Final = 3
_CACHED: Final = ("cache_read_input_tokens", "cache_write_input_tokens")

_NOTHING: Final = Counted(TokenUsage(), {}, ())
_UNKNOWN: Final = Counted(None, {}, ())


class Counting:
    """Reads usage from rows."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._mapping = mapping = fields.mapping
        self._unused = [
            (getter(column), frozenset(values)) for column, values in mapping.unused.items()
        ]
        named = (
            path
            for columns in mapping.fields.values()
            for path in ([columns] if isinstance(columns, str) else columns)
        )
        self._known = frozenset(
            (*named, *mapping.identity, *mapping.identity_except, *mapping.only, *mapping.unused)
        )
        self._ignored = mapping.ignored or ()

    def is_cached(self, row: Row) -> bool:
        """Whether a row is an answer from a cache, which used no tokens."""
        return any(str(get(row)) in values for get, values in self._unused)

    def counted(self, row: Row, *, provider: str, is_ok: bool) -> Counted:
        """The usage in a row; unknown columns are reported as unread."""
        if self.is_cached(row):
            return _NOTHING
        counted = self._counted(row, provider)
        if counted.usage is None and not is_ok:
            # A failure without a count has no known usage.
            counted = counted._replace(usage=TokenUsage())
        meters = {**counted.meters, **self._meters(row)}
        usage = TokenUsage() if counted.usage is None and meters else counted.usage
        columns = [] if self._mapping.ignored is None else self.unnamed(row)
        if self._lacks_details(row, counted):
            columns.append("usage_object")
        return Counted(usage, meters, (*counted.unread, *columns)[:MAX_NAMED])

    def unnamed(self, row: Row) -> list[str]:
        """The columns of a row that count something and are not in the mapping."""
        return [name for name in counts_in(row, self._known) if not self._is_ignored(name)]

    def _lacks_details(self, row: Row, counted: Counted) -> bool:
        """Whether a row has a cost but lacks the usage details that its format provides."""
        return (
            "usage_object" in self._mapping.fields
            and any(counted.usage or ())
            and bool(self._fields.number(row, "cost"))
            and not object_in(self._fields.value(row, "usage_object"))
        )

    def _is_ignored(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._ignored)

    def _counted(self, row: Row, provider: str) -> Counted:
        fields = self._fields
        incoming, outgoing = fields.count(row, "input_tokens"), fields.count(row, "output_tokens")
        usage_object = object_in(fields.value(row, "usage_object"))
        if usage_object:
            counts = {
                "prompt_tokens": incoming,
                "completion_tokens": outgoing,
                **{name: fields.count(row, name) for name in _CACHED},
            }
            given = {name: count for name, count in counts.items() if count is not None}
            return read_counters({**usage_object, **given})
        if incoming is None and outgoing is None:
            details = count_details(object_in(fields.value(row, "usage_details")))
            total = fields.count(row, "total_tokens")
            if details.usage is None and total is not None:
                details = details._replace(usage=TokenUsage(total))
            return details
        return Counted(self._tokens(row, provider, incoming, outgoing), {}, ())

    def _tokens(
        self, row: Row, provider: str, incoming: int | None, outgoing: int | None
    ) -> TokenUsage:
        fields, mapping = self._fields, self._mapping
        total = fields.count(row, "total_tokens") or 0
        incoming = max(0, total - (outgoing or 0)) if incoming is None else incoming
        outgoing = max(0, total - incoming) if outgoing is None else outgoing
        read = fields.count(row, "cache_read_input_tokens") or 0
        lasting = fields.count(row, "cache_write_1h_input_tokens") or 0
        short = fields.count(row, "cache_write_5m_input_tokens")
        written = fields.count(row, "cache_write_input_tokens") or 0
        written = written if short is None else short + lasting
        written = max(written, lasting)
        reasoning = fields.count(row, "reasoning_output_tokens") or 0
        cached = read + written
        # More cached than input tokens, or a total of all three, shows that cached tokens are
        # separate.
        is_beside = cached and (cached > incoming or total == incoming + outgoing + cached)
        if is_beside or mapping.input_excludes_cache or provider in mapping.cache_beside:
            incoming += cached
        if mapping.output_excludes_reasoning:
            outgoing += reasoning
        return TokenUsage(incoming, outgoing, read, written, lasting, reasoning)

    def _meters(self, row: Row) -> dict[str, int]:
        found = {
            name: count
            for name in METERS
            if name in self._mapping.fields and (count := self._fields.count(row, name))
        }
        seconds = self._fields.number(row, "input_audio_seconds")
        if seconds is not None and seconds > 0:
            found["input_audio_milliseconds"] = round(seconds * 1000)
        return found


def counted_of(answer: Answer) -> Counted:
    """The usage in an answer."""
    return Counted(answer.usage, answer.meters, tuple(sorted(answer.unread)))


def counts_in(row: Row, known: frozenset[str]) -> Iterator[str]:
    """The paths of positive numbers in a row whose names mean usage, except the known ones."""
    for path, value in _leaves(row, "", _DEPTH):
        if path in known or _NO_COUNT.search(path) or not _COUNT_OF.search(path):
            continue
        if _is_positive(value):
            yield path


def _leaves(part: Row, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in part.items():
        if isinstance(value, dict) and depth:
            yield from _leaves(value, f"{prefix}{name}.", depth - 1)
        else:
            yield f"{prefix}{name}", value


def _is_positive(value: Any) -> bool:
    if isinstance(value, str):
        digits = value.replace(",", "").replace(".", "", 1)
        return digits.isascii() and digits.isdigit() and digits.strip("0") != ""
    return not isinstance(value, bool) and isinstance(value, int | float) and value > 0
