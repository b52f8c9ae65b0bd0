"""Writing the contents of another ledger into empty tables."""

from typing import Final

from outlay.storage.ledger import queries
from outlay.storage.ledger.postgres.intents import (
    put_intents,
)
from outlay.storage.ledger.postgres.keys import is_taken, put_keys
from outlay.storage.ledger.postgres.partitions import Partitions, copy_events
from outlay.storage.ledger.rows import (
    COLUMN,
)
from outlay.storage.ledger.store import (
    LedgerContents,
)
from outlay.storage.postgres import (
    MarkedConnection,
)

_TIME: Final = COLUMN["event_time_us"]


def adopt_contents(
    writer: MarkedConnection, contents: LedgerContents, partitions: Partitions, node_id: str
) -> None:
    """Write batches, conflicts and open intents; raises Damaged for a batch that is not intact."""
    for batch in contents.checked_batches():
        partitions.create(writer, (row[_TIME] for row in batch.rows))
        put_keys(writer, batch.rows)
        copy_events(writer, batch.rows)
        writer.execute(queries.PUT_BATCH, batch[:7])
    for conflict in contents.conflicts:
        writer.execute(queries.INSERT_CONFLICT, conflict)
    open_intents = [intent for intent in contents.intents if not is_taken(writer, *intent[:2])]
    put_intents(writer, node_id, open_intents)
