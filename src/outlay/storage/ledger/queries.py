"""The SQL statements of the ledger."""

from functools import cache
from typing import Final

from outlay.storage.ledger.rows import ROW_COLUMNS

COLUMNS: Final = ", ".join(ROW_COLUMNS)

MAX_ROWS: Final = 24
"""Rows per statement. The driver releases the GIL for each statement and then competes with the
event loop to get it back: one statement per row would spend more time waiting for it than writing.
Statements of every length stay prepared.
"""


def _tuples(rows: int, columns: int) -> str:
    one = f"({', '.join('?' * columns)})"
    return ", ".join([one] * rows)


@cache
def insert_events(rows: int) -> str:
    """Insert events, skipping those whose id exists."""
    return (
        f"INSERT INTO usage_event ({COLUMNS}) VALUES {_tuples(rows, len(ROW_COLUMNS))} "  # noqa: S608 - column names are constants
        "ON CONFLICT (organization_id, event_id) DO NOTHING"
    )


@cache
def insert_intents(rows: int) -> str:
    """Insert intents."""
    columns = "organization_id, event_id, begun"
    return f"INSERT INTO request_intent ({columns}) VALUES {_tuples(rows, 3)}"  # noqa: S608 - only placeholders


@cache
def delete_intents(rows: int) -> str:
    """Delete intents."""
    return (
        "DELETE FROM request_intent WHERE (organization_id, event_id) IN "  # noqa: S608 - only placeholders
        f"(VALUES {_tuples(rows, 2)})"
    )


@cache
def events_of_answers(time: str, ids: int) -> str:
    """Events of an organization in a time window that report one of some answers, up to a limit.

    `time` is the engine's expression for the event time that makes it use the index on answer ids.
    """
    return (
        f"SELECT {COLUMNS} FROM usage_event WHERE organization_id = ? "  # noqa: S608 - column names are constants
        f"AND {time} BETWEEN ? AND ? AND response_id <> '' "  # so that the partial index is used
        f"AND response_id IN ({', '.join('?' * ids)}) LIMIT ?"
    )


@cache
def taken_ids(table: str, ids: int) -> str:
    """Which of some ids of an organization exist, by the table with all ids."""
    return (
        f"SELECT event_id FROM {table} WHERE organization_id = ? "  # noqa: S608 - constants
        f"AND event_id IN ({', '.join('?' * ids)})"
    )


RESTATED_BY: Final = (
    "SELECT event_time_us, event_id FROM usage_event WHERE organization_id = ? "
    "AND event_time_us >= ? AND event_time_us < ? AND amendment <> '' "
    "AND amendment = 'restate' AND amendment_id = ? ORDER BY event_time_us"
)
EVENTS_AT: Final = (
    f"SELECT {COLUMNS} FROM usage_event WHERE organization_id = ? AND event_time_us = ? "  # noqa: S608 - column names are constants
    "ORDER BY seq"
)
VERSIONS_AT: Final = (
    f"SELECT {COLUMNS} FROM usage_event WHERE organization_id = ? AND event_time_us = ? "  # noqa: S608 - column names are constants
    "AND (event_id = ? OR amendment <> '') ORDER BY seq"
)
INSERT_BATCH: Final = (
    "INSERT INTO usage_batch (batch_id, first_seq, last_seq, recorded_at_us, checksum, row_width) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
INTENTS: Final = "SELECT organization_id, event_id, begun FROM request_intent ORDER BY event_id"
INSERT_CONFLICT: Final = (
    "INSERT INTO usage_conflict (recorded_at_us, organization_id, event_id, recorded_digest, "
    "offered_digest, offered_facts) VALUES (?, ?, ?, ?, ?, ?)"
)
DIGEST_OF_EVENT: Final = (
    "SELECT facts_digest FROM usage_event WHERE organization_id = ? AND event_id = ?"
)
LAST_BATCH: Final = (
    "SELECT batch_id, last_seq, checksum FROM usage_batch ORDER BY batch_id DESC LIMIT 1"
)
LAST_SEQ_OF_EVENTS: Final = "SELECT coalesce(max(seq), 0) FROM usage_event"
BATCHES_AFTER: Final = (
    "SELECT batch_id, first_seq, last_seq, recorded_at_us, checksum, row_width, restated "
    "FROM usage_batch WHERE first_seq > ? ORDER BY first_seq LIMIT ?"
)
END_OF_BATCH: Final = (
    "SELECT last_seq FROM usage_batch WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1"
)
RECORDED_FROM: Final = (
    "SELECT min(recorded_at_us) FROM usage_batch WHERE first_seq > ? AND first_seq <= ?"
)
CHECKSUM_BEFORE: Final = "SELECT checksum FROM usage_batch WHERE batch_id = ? - 1"


@cache
def heads_of(rows: int) -> str:
    """The batches of some sequence numbers, each with the previous checksum."""
    return (
        f"WITH wanted(seq) AS (VALUES {_tuples(rows, 1)}) "  # noqa: S608 - only placeholders
        "SELECT batch_id, first_seq, last_seq, recorded_at_us, checksum, row_width, restated, "
        "(SELECT previous.checksum FROM usage_batch AS previous "
        "WHERE previous.batch_id = batch.batch_id - 1) "
        "FROM usage_batch AS batch WHERE batch_id IN "
        "(SELECT (SELECT holding.batch_id FROM usage_batch AS holding "
        "WHERE holding.first_seq <= wanted.seq ORDER BY holding.first_seq DESC LIMIT 1) "
        "FROM wanted) ORDER BY first_seq"
    )


EVENTS_BETWEEN: Final = f"SELECT {COLUMNS} FROM usage_event WHERE seq BETWEEN ? AND ? ORDER BY seq"  # noqa: S608 - column names are constants
EVENTS_OF_WINDOW: Final = (
    f"SELECT {COLUMNS} FROM usage_event WHERE organization_id = ? AND event_time_us >= ? "  # noqa: S608 - column names are constants
    "AND event_time_us < ? AND seq <= ?"
)
EVENT: Final = f"SELECT {COLUMNS} FROM usage_event WHERE organization_id = ? AND event_id = ?"  # noqa: S608 - column names are constants
CLAIMED_EVENTS: Final = (
    "SELECT seq FROM usage_event WHERE organization_id = ? "
    "AND (lower(end_user) = ? OR lower(user_id) = ?) AND seq > ? ORDER BY seq LIMIT ?"
)
CLAIMS_BEFORE: Final = (
    "SELECT seq FROM usage_event WHERE organization_id = ? AND event_time_us < ? "
    "AND end_user <> '' AND seq > ? ORDER BY seq LIMIT ?"
)
REPLACE_CLAIMS: Final = (
    "UPDATE usage_event SET end_user = ?, user_id = ? WHERE seq = ? AND event_time_us = ?"
)
CHECKSUMS: Final = "SELECT checksum, restated FROM usage_batch WHERE batch_id = ?"
RESTATE: Final = "UPDATE usage_batch SET restated = ? WHERE batch_id = ?"
ALL_CONFLICTS: Final = (
    "SELECT recorded_at_us, organization_id, event_id, recorded_digest, offered_digest, "
    "offered_facts FROM usage_conflict ORDER BY conflict_id"
)
PUT_BATCH: Final = (
    "INSERT INTO usage_batch (batch_id, first_seq, last_seq, recorded_at_us, checksum, row_width, "
    "restated) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
CONFLICTS_AFTER: Final = (
    "SELECT conflict_id, offered_digest, offered_facts FROM usage_conflict "
    "WHERE conflict_id > ? ORDER BY conflict_id LIMIT ?"
)
CONFLICTS: Final = "SELECT conflict_id, offered_facts FROM usage_conflict WHERE organization_id = ?"
REPLACE_OFFERED: Final = (
    "UPDATE usage_conflict SET offered_facts = ?, offered_digest = ? WHERE conflict_id = ?"
)
FIRST_EVENT_TIME: Final = "SELECT min(event_time_us) FROM usage_event WHERE organization_id = ?"
LAST_EVENT_TIME: Final = "SELECT max(event_time_us) FROM usage_event WHERE organization_id = ?"
ORGANIZATIONS: Final = "SELECT DISTINCT organization_id FROM usage_event"
# the unary plus keeps SQLite from scanning all rows for the few amendments
COUNT_REQUESTS: Final = (
    "SELECT count(*) - (SELECT coalesce(sum(CASE amendment WHEN 'void' THEN 2 "
    "WHEN 'witness' THEN 1 ELSE 0 END), 0) FROM usage_event WHERE amendment <> '' AND +seq <= ?) "
    "FROM usage_event WHERE seq <= ?"
)
IDENTITY: Final = "SELECT ledger_id, schema_version FROM ledger_identity"
SET_SCHEMA: Final = "UPDATE ledger_identity SET schema_version = ?"
HAS_IDENTITY: Final = "SELECT 1 FROM sqlite_schema WHERE name = 'ledger_identity'"
INSERT_IDENTITY: Final = (
    "INSERT INTO ledger_identity (ledger_id, schema_version, created_at_us) VALUES (?, ?, ?)"
)
COUNT_REWRITE: Final = "UPDATE ledger_identity SET rewrites = rewrites + 1 RETURNING rewrites"
REWRITES: Final = "SELECT rewrites FROM ledger_identity"

SENT_TEXTS: Final = (
    "event_id",
    "end_user",
    "user_id",
    "app",
    "project_id",
    "mapping",
    "groups",
    "response_id",
    "response_model",
)
"""Columns with text from senders."""


def count_mentions(contains: str, texts: int) -> str:
    """Per sender-provided text column, the number of events that contain one of some texts;
    `contains` is the engine's function for the position of a text in another.
    """
    counts = [
        "count(CASE WHEN "
        + " OR ".join([f"{contains}(lower({column}), ?) > 0"] * texts)
        + " THEN 1 END)"
        for column in SENT_TEXTS
    ]
    return f"SELECT {', '.join(counts)} FROM usage_event WHERE organization_id = ?"  # noqa: S608 - constants
