"""Requests under way, by the node that let them through, and which nodes are still there."""

from collections.abc import Sequence
from typing import Final

from outlay.storage.ledger.postgres.keys import columns_of
from outlay.storage.ledger.reading import Connection
from outlay.storage.ledger.rows import Intent

GONE_SECONDS: Final = 2 * 3_600
"""Without a sign for so long a node is gone: what it let through has ended or was broken off, as
nothing lasts longer than an hour; its outcomes are in no journal that is still being written."""

_PUT: Final = (
    "INSERT INTO request_intent (organization_id, event_id, begun, node_id) "
    "SELECT organization_id, event_id, begun, ? "
    "FROM unnest(?::text[], ?::text[], ?::bytea[]) AS given (organization_id, event_id, begun) "
    "ON CONFLICT DO NOTHING"
)
_DROP: Final = (
    "DELETE FROM request_intent "
    "WHERE (organization_id, event_id) IN (SELECT * FROM unnest(?::text[], ?::text[]))"
)
_OF_NODE: Final = (
    "SELECT organization_id, event_id, begun FROM request_intent WHERE node_id = ? "
    "ORDER BY event_id"
)
_ORPHANS: Final = (
    "SELECT organization_id, event_id, begun FROM request_intent WHERE node_id IN "
    "(SELECT node_id FROM node WHERE seen_at < now() - make_interval(secs => ?)) "
    "ORDER BY event_id LIMIT 1000"
)
_SIGN: Final = (
    "INSERT INTO node (node_id, seen_at) VALUES (?, now()) "
    "ON CONFLICT (node_id) DO UPDATE SET seen_at = excluded.seen_at"
)


def put_intents(connection: Connection, node_id: str, intents: Sequence[Intent]) -> None:
    """Put intents of a node on record; those that are stay."""
    if intents:
        columns = columns_of([intent[:3] for intent in intents])
        connection.execute(_PUT, (node_id, *columns))


def drop_intents(connection: Connection, settled: Sequence[tuple[str, str]]) -> None:
    """Take intents off record, and with them what is held for them."""
    if settled:
        connection.execute(_DROP, columns_of(settled))


def intents_of(connection: Connection, node_id: str) -> list[Intent]:
    """Requests without an outcome that a node let through, oldest first."""
    return [Intent(*row) for row in connection.execute(_OF_NODE, (node_id,))]


def orphaned_intents(connection: Connection) -> list[Intent]:
    """Requests without an outcome of nodes that are not heard of any more."""
    return [Intent(*row) for row in connection.execute(_ORPHANS, (GONE_SECONDS,))]


def write_heartbeat(connection: Connection, node_id: str) -> None:
    """Let others know that a node is there."""
    connection.execute(_SIGN, (node_id,))
