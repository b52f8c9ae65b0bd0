"""Intents per node, and heartbeats of the nodes."""

from collections.abc import Sequence
from typing import Final

from outlay.storage.ledger.connection import Connection
from outlay.storage.ledger.postgres.keys import columns_of
from outlay.storage.ledger.rows import Intent

GONE_SECONDS: Final = 2 * 3_600
"""A node without a heartbeat for this long is considered gone. Its requests have ended, as none
takes longer than an hour, and its write-ahead buffer is no longer written to."""

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
    """Record intents of a node; existing ones stay unchanged."""
    if intents:
        columns = columns_of([intent[:3] for intent in intents])
        connection.execute(_PUT, (node_id, *columns))


def drop_intents(connection: Connection, settled: Sequence[tuple[str, str]]) -> None:
    """Delete intents, and with them their reservations."""
    if settled:
        connection.execute(_DROP, columns_of(settled))


def intents_of(connection: Connection, node_id: str) -> list[Intent]:
    """A node's requests without an outcome, oldest first."""
    return [Intent(*row) for row in connection.execute(_OF_NODE, (node_id,))]


def orphaned_intents(connection: Connection) -> list[Intent]:
    """Requests without an outcome of nodes that are gone."""
    return [Intent(*row) for row in connection.execute(_ORPHANS, (GONE_SECONDS,))]


def write_heartbeat(connection: Connection, node_id: str) -> None:
    """Record that a node is alive."""
    connection.execute(_SIGN, (node_id,))
