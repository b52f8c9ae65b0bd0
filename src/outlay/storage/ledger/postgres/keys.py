"""Unique event ids: an id counts once, whichever node receives it."""

from collections.abc import Sequence
from typing import Any, Final

from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.outcome import Outcome
from outlay.storage.ledger import queries
from outlay.storage.ledger.rows import COLUMN, EventRow, facts_json
from outlay.storage.postgres import MarkedConnection

_TIME: Final = COLUMN["event_time_us"]
_DIGEST: Final = COLUMN["facts_digest"]
_ORGANIZATION: Final = COLUMN["organization_id"]
_EVENT: Final = COLUMN["event_id"]

_TAKE_KEYS: Final = (
    "INSERT INTO usage_event_key (organization_id, event_id, facts_digest, event_time_us) "
    "SELECT * FROM unnest(?::text[], ?::text[], ?::bytea[], ?::bigint[]) "
    "ON CONFLICT DO NOTHING RETURNING organization_id, event_id"
)
_KEYS: Final = (
    "SELECT organization_id, event_id, facts_digest FROM usage_event_key "
    "WHERE (organization_id, event_id) IN (SELECT * FROM unnest(?::text[], ?::text[]))"
)

_Key = tuple[str, str]
"""Organization and event id."""


def take_keys(
    writer: MarkedConnection,
    events: Sequence[UsageEvent],
    drafts: Sequence[EventRow],
    outcomes: list[Outcome],
) -> list[EventRow]:
    """The drafts whose ids were free; the ids are claimed now."""
    first: dict[_Key, EventRow] = {}
    for draft in drafts:
        first.setdefault(_key_of(draft), draft)
    columns = [
        [draft[position] for draft in first.values()]
        for position in (_ORGANIZATION, _EVENT, _DIGEST, _TIME)
    ]
    taken = set(writer.execute(_TAKE_KEYS, columns).fetchall())
    if len(taken) == len(drafts):
        return list(drafts)
    known: dict[_Key, bytes] = {key: draft[_DIGEST] for key, draft in first.items()}
    others = [key for key in first if key not in taken]
    if others:
        found = writer.execute(_KEYS, columns_of(others))
        known.update({(organization, event): digest for organization, event, digest in found})
    fresh = []
    for index, (event, draft) in enumerate(zip(events, drafts, strict=True)):
        key = _key_of(draft)
        if key in taken:
            taken.remove(key)
            fresh.append(draft)
        elif known[key] == draft[_DIGEST]:
            outcomes[index] = Outcome.DUPLICATE
        else:
            outcomes[index] = Outcome.CONFLICT
            digests = (known[key], draft[_DIGEST])
            conflict = (draft[1], *key, *digests, facts_json(event))
            writer.execute(queries.INSERT_CONFLICT, conflict)
    return fresh


def put_keys(writer: MarkedConnection, rows: Sequence[EventRow]) -> None:
    """Claim the ids of rows that are known to be distinct."""
    columns = [[row[at] for row in rows] for at in (_ORGANIZATION, _EVENT, _DIGEST, _TIME)]
    writer.execute(_TAKE_KEYS, columns)


def is_taken(writer: MarkedConnection, organization_id: OrganizationId, event_id: EventId) -> bool:
    """Whether an event id exists."""
    return bool(writer.execute(_KEYS, ([organization_id], [event_id])).fetchall())


def columns_of(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows as one list per column, as `unnest` takes them."""
    return [list(column) for column in zip(*rows, strict=True)]


def _key_of(draft: EventRow) -> _Key:
    return draft[_ORGANIZATION], draft[_EVENT]
