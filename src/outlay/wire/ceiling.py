"""Upper bounds for the size of an answer, from which its reservation is computed.

Providers differ in which members they read and how strictly. So every member that some provider may
take for a maximum counts, in any spelling, and the largest wins; but only members that the provider
is known to obey bound an answer. Values that are no maximum do not count: text, and zero or less,
which some servers take for "unlimited".
"""

import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from outlay.wire.answer import text_of, tier_context
from outlay.wire.call import Call

Members = Iterable[tuple[str, Any]]

_MAXIMA: Final = frozenset(
    {
        "maxtokens",
        "maxcompletiontokens",
        "maxoutputtokens",
        "maxnewtokens",
        "maxtokenstosample",
        "maxgenlen",
        "npredict",
        "numpredict",
        "budgettokens",
    }
)
"""Names in lower case without underscores. A thinking budget is part of the maximum …"""

_ADDED: Final = frozenset({"thinkingbudget"})
"""… except Qwen's, which is added to the maximum."""

_CHOICES: Final = frozenset({"n", "bestof", "candidatecount", "numreturnsequences"})
"""Number of choices; all generated candidates of `best_of` are billed."""

_CONTAINERS: Final = frozenset(
    {
        "extrabody",
        "generationconfig",
        "options",
        "parameters",
        "reasoning",
        "samplingparameters",
        "samplingparams",
        "thinking",
        "thinkingconfig",
    }
)
"""Objects that can contain such members, too."""

_DECIDING: Final = _MAXIMA | _ADDED | _CHOICES | _CONTAINERS | {"prompt", "servicetier", "speed"}

_ESCAPED_LETTER: Final = re.compile(rb"\\u00[4-7]")
"""Letters need no escape in names; an escaped one may hide a duplicate name."""

_MOST_DIGITS: Final = 30


@dataclass(slots=True)
class Ceiling:
    """The stated bounds on the size and price of an answer."""

    most: int = 0
    """The largest of all stated maxima, in tokens of one answer."""
    is_bounded: bool = False
    """Whether the provider obeys one of them."""
    is_open: bool = False
    """Whether a value is stated that may mean "unlimited"."""
    added: int = 0
    """Tokens in addition to the maximum."""
    choices: int = 1
    """The number of requested answers."""
    caches_long: bool = False
    """Whether input may be written to a cache for an hour."""
    contexts: list[Mapping[str, str]] = field(default_factory=list)
    """Requested price contexts."""


def read_ceiling(call: Call, obeyed: Collection[str]) -> Ceiling:
    """The bounds in a call; forms have none. `obeyed` are the members that the provider obeys."""
    ceiling = Ceiling()
    if call.readable:
        ceiling.caches_long = b"ttl" in call.readable or bool(_ESCAPED_LETTER.search(call.readable))
        try:
            _take(ceiling, _members(call.readable), obeyed)
        except (ValueError, RecursionError):
            ceiling.is_open = True
    return ceiling


def _members(body: bytes) -> Members:
    """The members of a body, duplicates included."""
    members: dict[str, Any] = msgspec.json.decode(body)
    if _ESCAPED_LETTER.search(body) or any(
        body.count(f'"{name}"'.encode()) > 1 for name in _deciding(members)
    ):
        pairs: _Pairs = json.loads(body, object_pairs_hook=_Pairs)
        return pairs
    return members.items()


def _deciding(members: Mapping[str, Any]) -> Iterator[str]:
    """The relevant names, in the body's spelling."""
    for name, value in members.items():
        plain = _plain(name)
        if plain in _DECIDING:
            yield name
        if plain in _CONTAINERS and isinstance(value, dict):
            yield from _deciding(value)


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in order, duplicates included."""


def _take(ceiling: Ceiling, members: Members, obeyed: Collection[str]) -> None:
    prompts = 1
    for name, value in members:
        plain = _plain(name)
        if name in obeyed and type(value) is int and value > 0:
            ceiling.is_bounded = True
        if plain in _CONTAINERS:
            _take_sizes(ceiling, _nested(value))
        elif plain == "prompt" and isinstance(value, list) and not isinstance(value, _Pairs):
            prompts = max(prompts, sum(not isinstance(item, int) for item in value))
        elif plain == "servicetier":
            _note_context(ceiling, tier_context(value))
        elif plain == "speed":
            _note_context(ceiling, {"speed": text_of(value).lower()} if text_of(value) else {})
        else:
            _take_size(ceiling, plain, value)
    ceiling.choices *= prompts


def _take_sizes(ceiling: Ceiling, members: Members) -> None:
    for name, value in members:
        plain = _plain(name)
        if plain in _CONTAINERS:
            _take_sizes(ceiling, _nested(value))
        else:
            _take_size(ceiling, plain, value)


def _take_size(ceiling: Ceiling, plain: str, value: Any) -> None:
    if value is None:
        return
    if plain in _CHOICES:
        ceiling.choices = max(ceiling.choices, _number(value))
    elif plain in _MAXIMA or plain in _ADDED:
        number = _number(value)
        if not number:
            ceiling.is_open = True
        elif plain in _ADDED:
            ceiling.added = max(ceiling.added, number)
        else:
            ceiling.most = max(ceiling.most, number)


def _note_context(ceiling: Ceiling, context: Mapping[str, str]) -> None:
    if context and context not in ceiling.contexts:
        ceiling.contexts.append(context)


def _nested(value: Any) -> Members:
    if isinstance(value, _Pairs):
        return value
    return value.items() if isinstance(value, dict) else ()


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _number(value: Any) -> int:
    """A number of at least one, rounded up, also from text; 0 for anything else."""
    if isinstance(value, str) and len(value) <= _MOST_DIGITS:
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return math.ceil(value) if value >= 1 else 0
