"""Reading parts of the ledger to verify checksums (scrubbing)."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from outlay.storage.ledger import queries
from outlay.storage.ledger.batches import damaged, read_run, runs_of
from outlay.storage.ledger.checking import BatchHead
from outlay.storage.ledger.reading import LedgerReader
from outlay.storage.ledger.rows import digest_of_facts

HEADS: Final = 500
CONFLICTS: Final = 500
_SURROGATES: Final = ("mem_", "gone_")


class Scrubbed(NamedTuple):
    """The result of scrubbing one part."""

    position: int
    """Where the next part begins: a sequence number, or the id of a conflict."""
    is_end: bool
    faults: list[str]


def scrub_batches(ledger: LedgerReader, after_seq: int) -> Scrubbed:
    """Check some batches after a sequence number; damaged ones are reported and skipped."""
    with ledger.snapshot() as reader:
        found = reader.execute(queries.BATCHES_AFTER, (after_seq, HEADS)).fetchall()
        heads = [*_chained(found, reader)]
        run = next(runs_of(heads), [])
        faults = [*_gap(after_seq, run)]
        for head, rows in read_run(reader, run) if run else ():
            if rows is None:
                faults.append(damaged(head.batch_id, head.first_seq, head.last_seq).message)
    position = run[-1].last_seq if run else after_seq
    return Scrubbed(position, not run or (len(run) == len(heads) < HEADS), faults)


def _chained(found: list[Any], reader: Any) -> Iterator[BatchHead]:
    """Batch heads, each with the previous checksum."""
    before: tuple[int, bytes | None] = (0, None)
    if found:
        checksum = reader.execute(queries.CHECKSUM_BEFORE, (found[0][0],)).fetchone()
        before = (found[0][0] - 1, checksum[0] if checksum else None)
    for head in found:
        batch_id, previous = before
        yield BatchHead._make([*head, previous if head[0] == batch_id + 1 else None])
        before = (head[0], head[4])


def _gap(after_seq: int, run: list[BatchHead]) -> Iterator[str]:
    if run and run[0].first_seq != after_seq + 1:
        yield (
            f"Events {after_seq + 1} to {run[0].first_seq - 1} of the ledger are in no batch. "
            "Restore a backup."
        )


def scrub_conflicts(ledger: LedgerReader, after_id: int) -> Scrubbed:
    """Check some refused events after an id against the digests of their facts."""
    with ledger.snapshot() as reader:
        found = reader.execute(queries.CONFLICTS_AFTER, (after_id, CONFLICTS)).fetchall()
    faults = [
        f"Refused event {rowid} of the ledger does not match its checksum. Restore a backup."
        for rowid, digest, facts in found
        if not _is_offered(bytes(digest), facts)
    ]
    return Scrubbed(found[-1][0] if found else after_id, len(found) < CONFLICTS, faults)


def _is_offered(digest: bytes, facts: str) -> bool:
    try:
        if digest_of_facts(facts) == digest:
            return True
        values = msgspec.json.decode(facts).values()
    except (msgspec.DecodeError, AttributeError):
        return False
    # Earlier versions erased an identity but kept the digest of the original facts.
    return any(isinstance(value, str) and value.startswith(_SURROGATES) for value in values)
