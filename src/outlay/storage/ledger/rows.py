"""Usage events as ledger rows, their digests and the checksums of batches."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from outlay.domain.event import (
    FACTS,
    NEW_FACTS,
    CostSource,
    Status,
    UsageEvent,
    UsageSource,
)
from outlay.domain.spend_limit import Hold

EventRow = tuple[Any, ...]
"""One row of usage_event, in the order of ROW_COLUMNS."""

DERIVED: Final = (
    "member_id",
    "user_id",
    "groups",
    "model",
    "adjusted",
    "cost_source",
    "cost_pusd",
    "input_cost_pusd",
    "cache_read_cost_pusd",
    "cache_write_cost_pusd",
    "output_cost_pusd",
    "price_ref",
)

DETAILS: Final = ("is_stream", "http_status", "error_code", "response_id", "response_model")

SINCE_SCHEMA_4: Final = (
    *NEW_FACTS,
    "amends",
    "amendment",
    "amendment_id",
    "tags",
    "computed_cost_pusd",
    "meter_cost_pusd",
    "meter_costs",
    "unpriced_parts",
    "trace_id",
    "parent_id",
)
"""Columns at the end of a row; checksums of older batches cover only those before them."""

EVENT_FIELDS: Final = (
    "event_id",
    "organization_id",
    *FACTS,
    *DERIVED,
    *DETAILS,
    *SINCE_SCHEMA_4,
)
ROW_COLUMNS: Final = ("seq", "recorded_at_us", "facts_digest", *EVENT_FIELDS)
COLUMN: Final = {name: index for index, name in enumerate(ROW_COLUMNS)}
"""Index of each column in an EventRow, for code that cannot afford objects."""

DIGEST_BYTES: Final = 16
GENESIS: Final = bytes(DIGEST_BYTES)
"""The predecessor of the first batch."""

_NO_NEW_FACTS: Final = tuple(
    field.default for field in fields(UsageEvent) if field.name in NEW_FACTS
)
_ENUMS: Final = {"status", "usage_source", "cost_source"}
# Plain text of enums: drivers search for adapters of subclasses.
_fields_of = attrgetter(*(f"{name}._value_" if name in _ENUMS else name for name in EVENT_FIELDS))


def _slice(names: tuple[str, ...]) -> slice:
    """The slice of consecutive fields within a row."""
    start = EVENT_FIELDS.index(names[0])
    return slice(start, start + len(names))


_FACTS: Final = _slice(FACTS)
_NEW_FACTS: Final = _slice(NEW_FACTS)
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Batch:
    """A committed run of rows with a valid checksum."""

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
    """The checksum of the rows since identities were erased; None without an erasure."""
    rows: list[EventRow]


class Intent(NamedTuple):
    """An admitted request, recorded until its outcome is."""

    organization_id: str
    event_id: str
    begun: bytes
    """What is known of it, for recovery."""
    holds: tuple[Hold, ...] = ()
    """Its reservations, if the ledger checks spend limits."""


def facts_digest(event: UsageEvent) -> bytes:
    """The digest of the reported facts; the same event id with another digest is a conflict."""
    return _digest(_fields_of(event))


def _digest(values: tuple[Any, ...]) -> bytes:
    facts, new = values[_FACTS], values[_NEW_FACTS]
    if new != _NO_NEW_FACTS:
        facts = (*facts, *_given(new).items())
    return blake2b(_encode(facts), digest_size=DIGEST_BYTES).digest()


def facts_json(event: UsageEvent) -> str:
    """The reported facts as JSON."""
    values = _fields_of(event)
    facts = dict(zip(FACTS, values[_FACTS], strict=True)) | _given(values[_NEW_FACTS])
    return msgspec.json.encode(facts).decode()


def _given(new: tuple[Any, ...]) -> dict[str, Any]:
    """The new facts that an event has: without any, its digest is the same as in earlier
    versions.
    """
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
    values["status"] = Status(values["status"])
    values["usage_source"] = UsageSource(values["usage_source"])
    values["cost_source"] = CostSource(values["cost_source"])
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
