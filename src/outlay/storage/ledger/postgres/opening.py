"""Creating or upgrading the ledger's tables, and reading the end of its chain."""

from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged
from outlay.kit.clock import Clock, to_us
from outlay.kit.ids import uuid7
from outlay.kit.sqlfiles import load_statements
from outlay.storage.ledger import queries
from outlay.storage.ledger.schema import BeforeUpgrade, Schema, run_statements
from outlay.storage.postgres import (
    LEDGER_LOCK,
    LOCK,
    SCHEMA_LOCK,
    MarkedConnection,
    enter_all,
    row_security_of,
)

PACKAGE: Final = "outlay.storage.ledger.postgres"

SCHEMA: Final = Schema(first=3, steps=(run_statements(PACKAGE, "upgrade_4"),))

WALLED: Final = (
    "usage_event",
    "usage_event_key",
    "request_intent",
    "usage_conflict",
    "spend_counter",
    "spend_hold",
)
"""Tables with row-level security by organization."""

HEAD: Final = (
    "SELECT coalesce((SELECT last_seq FROM usage_batch ORDER BY batch_id DESC LIMIT 1), 0), "
    "rewrites, schema_version FROM ledger_identity"
)
"""The end of the ledger, the number of erasures, and the schema."""

END: Final = (
    "SELECT schema_version, coalesce(batch_id, 0), coalesce(last_seq, 0), checksum "
    "FROM ledger_identity LEFT JOIN "
    "(SELECT * FROM usage_batch ORDER BY batch_id DESC LIMIT 1) AS last_batch ON true"
)
"""The schema, and the predecessor of the next batch; without a checksum before the first batch."""

_HAS_LEDGER: Final = "SELECT to_regclass('ledger_identity')"
_WALLED: Final = "SELECT tablename FROM pg_policies WHERE schemaname = current_schema()"


def prepare_tables(
    writer: MarkedConnection, clock: Clock, schema: Schema, before_upgrade: BeforeUpgrade
) -> None:
    """Create or upgrade the tables; one node does this while the others wait.

    Raises Damaged if a newer version wrote them.
    """
    with writer.raw.transaction():
        writer.execute(LOCK, (SCHEMA_LOCK,))
        if writer.execute(_HAS_LEDGER).fetchone() == (None,):
            for statement in load_statements(PACKAGE, "schema"):
                writer.execute(statement)
            identity = (uuid7(clock), schema.version, to_us(clock.now()))
            writer.execute(queries.INSERT_IDENTITY, identity)
        else:
            writer.execute(LOCK, (LEDGER_LOCK,))  # nodes of the older version may still be writing
            enter_all(writer)
            schema.upgrade(writer, before_upgrade)
        walled = {table for (table,) in writer.execute(_WALLED)}
        for table in WALLED:
            if table not in walled:
                for statement in row_security_of(table):
                    writer.execute(statement)


def check_end(writer: MarkedConnection) -> tuple[str, int, int]:
    """The ledger's id, its last sequence number and its number of rewrites.

    Raises Damaged if its last event is not the end of its last batch.
    """
    with writer.raw.transaction():
        enter_all(writer)
        writer.execute(LOCK, (LEDGER_LOCK,))
        (ledger_id, _) = writer.execute(queries.IDENTITY).fetchone() or ("", 0)
        (last_event_seq,) = writer.execute(queries.LAST_SEQ_OF_EVENTS).fetchone() or (0,)
        last_seq, rewrites, _ = writer.execute(HEAD).fetchone() or (0, 0, 0)
    if last_event_seq != last_seq:
        raise Damaged(
            f"The ledger ends at event {last_event_seq}, but its last batch ends at {last_seq}. "
            "Restore a backup.",
            code=ErrorCode.LEDGER_TAIL,
        )
    return ledger_id, last_seq, rewrites
