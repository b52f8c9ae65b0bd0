"""Taking somebody's identity out of rows that are on record, within one transaction."""

from collections.abc import Sequence
from typing import Final

from outlay.storage.ledger import queries
from outlay.storage.ledger.reading import Connection
from outlay.storage.ledger.rows import GENESIS, batch_checksum, replace_in_facts

DROP_EVENTS: Final = 5_000
"""Claims of end users dropped in one transaction."""


def replace_claims(writer: Connection, organization_id: str, claim: str, instead: str) -> list[int]:
    """Put `instead` in the place of a claim, which is in lower case; the events that changed."""
    found = writer.execute(queries.CLAIMED_EVENTS, (organization_id, claim, claim))
    sequences = [seq for (seq,) in found]
    for seq in sequences:
        writer.execute(queries.REPLACE_CLAIM, (claim, instead, claim, instead, seq))
    for rowid, facts in writer.execute(queries.CONFLICTS, (organization_id,)).fetchall():
        told = replace_in_facts(facts, claim, instead)
        if told != facts:
            writer.execute(queries.REPLACE_OFFERED, (told, rowid))
    return sequences


def drop_claims(writer: Connection, organization_id: str, before_us: int) -> list[int]:
    """Drop some of the claimed end users before an instant; the events that changed."""
    which = (organization_id, before_us, DROP_EVENTS)
    sequences = [seq for (seq,) in writer.execute(queries.CLAIMS_BEFORE, which)]
    writer.executemany(queries.DROP_CLAIM, [(seq,) for seq in sequences])
    return sequences


def restate(writer: Connection, sequences: Sequence[int]) -> None:
    """Give the batches of events, in their order, the checksum of their rows as they are."""
    restated_to = 0
    for seq in sequences:
        if seq <= restated_to:
            continue
        batch = writer.execute(queries.BATCH_OF, (seq,)).fetchone()
        batch_id, first_seq, restated_to, width = batch
        before = writer.execute(queries.CHECKSUM_BEFORE, (batch_id,)).fetchone()
        rows = writer.execute(queries.EVENTS_BETWEEN, (first_seq, restated_to)).fetchall()
        checksum = batch_checksum(before[0] if before else GENESIS, [row[:width] for row in rows])
        writer.execute(queries.RESTATE, (checksum, batch_id))
