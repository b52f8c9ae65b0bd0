"""Usage events as ledger rows, their digests, and the checksums of batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import EnumType
from hashlib import blake2b
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple

import msgspec

from outlay.domain.event import UsageEvent, declared
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.spend_limit import Hold

_FIRST_NEW: Final = 40
"""The first column since schema 4: digests leave out later facts that are not given."""

EventRow = tuple[Any, ...]
"""One row of usage_event, in the order of ROW_COLUMNS."""

_DECLARED: Final = declared(UsageEvent)
EVENT_FIELDS: Final = tuple(_DECLARED)
_IDENTIFYING: Final = [name for name, (_, column) in _DECLARED.items() if column.is_fact]
FACTS: Final = tuple(name for name in _IDENTIFYING if _DECLARED[name][1].number < _FIRST_NEW)
"""The fields that must be the same if an event id is submitted again."""
NEW_FACTS: Final = tuple(name for name in _IDENTIFYING if name not in FACTS)
"""Further facts, which earlier versions did not have: they must be the same if they are given."""
ROW_COLUMNS: Final = ("seq", "recorded_at_us", "facts_digest", *EVENT_FIELDS)
COLUMN: Final = {name: index for index, name in enumerate(ROW_COLUMNS)}
"""Index of each column in an EventRow, for code that cannot afford objects."""

DIGEST_BYTES: Final = 16
GENESIS: Final = bytes(DIGEST_BYTES)
"""The predecessor of the first batch."""

_NO_NEW_FACTS: Final = tuple(UsageEvent.__dataclass_fields__[name].default for name in NEW_FACTS)
_READ: Final = {
    name: kind
    for name, (kind, _) in _DECLARED.items()
    if kind is bool or isinstance(kind, EnumType)
}
"""The fields with a different form in a row: enums as their text, booleans as 0 or 1."""


def _stored(name: str) -> str:
    """The path to a field in its stored form: drivers search adapters for all but plain values."""
    if name not in _READ:
        return name
    return f"{name}.real" if _READ[name] is bool else f"{name}._value_"


_fields_of = attrgetter(*map(_stored, EVENT_FIELDS))
_FACTS: Final = slice(EVENT_FIELDS.index(FACTS[0]), EVENT_FIELDS.index(FACTS[-1]) + 1)
_new_facts_of = itemgetter(*map(EVENT_FIELDS.index, NEW_FACTS))
_blank = blake2b(digest_size=DIGEST_BYTES)  # copying a hash object is faster than creating one
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Batch:
    """A committed range of rows with a valid checksum."""

    batch_id: int
    first_seq: int
    last_seq: int
    recorded_at_us: int
    rows: list[EventRow]


class StoredBatch(NamedTuple):
    """A stored batch with its checksum data."""

    batch_id: int
    first_seq: int
    last_seq: int
    recorded_at_us: int
    checksum: bytes
    """Over the previous checksum and the rows as they were written."""
    row_width: int
    """Columns per row that the checksum covers."""
    restated: bytes | None
    """The checksum of the rows after an erasure; None without an erasure."""
    rows: list[EventRow]


class Intent(NamedTuple):
    """An admitted request, recorded until its outcome is."""

    organization_id: OrganizationId
    event_id: EventId
    begun: bytes
    """What is known about it, for recovery."""
    holds: tuple[Hold, ...] = ()
    """Its reservations, if the ledger checks spend limits."""


def facts_digest(event: UsageEvent) -> bytes:
    """The digest of the reported facts; the same event id with another digest is a conflict."""
    return _digest(_fields_of(event))


def _digest(values: tuple[Any, ...]) -> bytes:
    facts, new = values[_FACTS], _new_facts_of(values)
    if new != _NO_NEW_FACTS:
        facts = (*facts, *_given(new).items())
    digest = _blank.copy()
    digest.update(_encode(facts))
    return digest.digest()


def facts_json(event: UsageEvent) -> str:
    """The reported facts as JSON."""
    values = _fields_of(event)
    facts = dict(zip(FACTS, values[_FACTS], strict=True)) | _given(_new_facts_of(values))
    return msgspec.json.encode(facts).decode()


def _given(new: tuple[Any, ...]) -> dict[str, Any]:
    """The new facts of an event: without any, its digest is the same as in earlier versions."""
    triples = zip(NEW_FACTS, new, _NO_NEW_FACTS, strict=True)
    return {name: value for name, value, default in triples if value != default}


def replace_in_facts(facts: str, claim: str, instead: str) -> str:
    """Facts as JSON with an identity, in lower case, replaced."""
    values = msgspec.json.decode(facts)
    if not isinstance(values, dict):
        return facts
    for name, value in values.items():
        if isinstance(value, str) and value.lower() == claim:
            values[name] = instead
    return msgspec.json.encode(values).decode()


def to_row(event: UsageEvent, seq: int, recorded_at_us: int) -> EventRow:
    """The row that stores `event`."""
    values = _fields_of(event)
    return (seq, recorded_at_us, _digest(values), *values)


def from_row(row: EventRow) -> UsageEvent:
    """The event that a row stores."""
    values = dict(zip(EVENT_FIELDS, row[3:], strict=True))
    for name, read in _READ.items():
        values[name] = read(values[name])
    return UsageEvent(**values)


def digest_of_facts(facts: str) -> bytes:
    """The digest of an event with these facts."""
    items = msgspec.json.decode(facts).items()
    digested = [item if item[0] in NEW_FACTS else item[1] for item in items]
    return blake2b(_encode(digested), digest_size=DIGEST_BYTES).digest()


def encode_row(row: EventRow) -> bytes:
    """A row in the form that batch checksums cover."""
    return _encode(row)


def batch_checksum(previous: bytes, rows: Sequence[EventRow | msgspec.Raw]) -> bytes:
    """The checksum of a batch: BLAKE2b over the previous batch's checksum and every stored value.

    Rows may be given as encoded by `encode_row`.
    """
    digest = blake2b(previous, digest_size=DIGEST_BYTES)
    digest.update(_encode(rows))
    return digest.digest()
