"""The ledger's tables, made by whoever opens it first, and the end of its chain."""

from typing import Final

from outlay.domain.errors import Damaged
from outlay.kit.clock import Clock, to_us
from outlay.kit.ids import uuid7
from outlay.kit.sqlfiles import load_statements
from outlay.storage.ledger import queries
from outlay.storage.ledger.rows import SCHEMA_VERSION
from outlay.storage.postgres import (
    LEDGER_LOCK,
    LOCK,
    SCHEMA_LOCK,
    MarkedConnection,
    enter_all,
    wall_of,
)

WALLED: Final = (
    "usage_event",
    "usage_event_key",
    "request_intent",
    "usage_conflict",
    "spend_counter",
    "spend_hold",
)
"""What shows an organization its own rows alone."""

HEAD: Final = (
    "SELECT coalesce((SELECT last_seq FROM usage_batch ORDER BY batch_id DESC LIMIT 1), 0), "
    "rewrites FROM ledger_identity"
)
"""How far the ledger reaches, and how often identities in its rows were erased."""

_HAS_LEDGER: Final = "SELECT to_regclass('ledger_identity')"


def create_schema(writer: MarkedConnection, clock: Clock) -> None:
    """Make the tables, unless another node has; Damaged when they are of another version."""
    with writer.raw.transaction():
        writer.execute(LOCK, (SCHEMA_LOCK,))
        if writer.execute(_HAS_LEDGER).fetchone() == (None,):
            for statement in load_statements("outlay.storage.ledger.postgres", "schema"):
                writer.execute(statement)
            for table in WALLED:
                for statement in wall_of(table):
                    writer.execute(statement)
            identity = (uuid7(clock), SCHEMA_VERSION, to_us(clock.now()))
            writer.execute(queries.INSERT_IDENTITY, identity)
    _, version = writer.execute(queries.IDENTITY).fetchone() or ("", 0)
    if version != SCHEMA_VERSION:
        raise Damaged(
            f"the ledger has schema {version}, this Outlay knows {SCHEMA_VERSION}",
            code="ledger-schema",
        )


def check_end(writer: MarkedConnection) -> tuple[str, int, int]:
    """Which ledger, how far it reaches and how often it was rewritten.

    Raises Damaged when its last event is not the end of its last batch.
    """
    with writer.raw.transaction():
        enter_all(writer)
        writer.execute(LOCK, (LEDGER_LOCK,))
        (ledger_id, _) = writer.execute(queries.IDENTITY).fetchone() or ("", 0)
        (last_event_seq,) = writer.execute(queries.LAST_SEQ_OF_EVENTS).fetchone() or (0,)
        last_seq, rewrites = writer.execute(HEAD).fetchone() or (0, 0)
    if last_event_seq != last_seq:
        raise Damaged(
            f"the ledger ends at event {last_event_seq} but its last batch at {last_seq}; "
            "restore it from a backup",
            code="ledger-tail",
        )
    return ledger_id, last_seq, rewrites
