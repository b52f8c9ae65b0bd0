"""One pass over the ledger: every batch is checked, and summed up to the position of the cube."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from outlay.kit.throttle import Throttle
from outlay.services.cube.ledger_sums import Day, DaySum, LedgerSums
from outlay.storage.ledger.reading import LedgerReader

PART_EVENTS: Final = 20_000
"""Events between two progress reports: a fifth of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanJob:
    """A range of batches to read."""

    after_seq: int
    """The end of a batch, 0 for the beginning."""
    through_seq: int
    """The end of a batch."""
    summed_seq: int
    """Later events are checked but not summed: the compared cube does not have them."""
    salt: str
    share: float
    """Share of a processor; 1 for a whole one."""

    def parts(self, reader: LedgerReader) -> "Iterator[ScanPart]":
        """Read a range of batches; raises Damaged if one does not match its checksum."""
        sums = LedgerSums(self.salt)
        throttle = Throttle(self.share)
        events = 0
        for batch in reader.read_all(self.through_seq, after_seq=self.after_seq):
            events += len(batch.rows)
            if batch.last_seq <= self.summed_seq:
                sums.add(batch.rows)
            elif batch.first_seq <= self.summed_seq:
                sums.add(batch.rows[: self.summed_seq - batch.first_seq + 1])
            if events >= PART_EVENTS:
                yield ScanPart(events, sums.take())
                events = 0
                throttle.pause()
        yield ScanPart(events, sums.take())


@dataclass(frozen=True, slots=True)
class ScanPart:
    """The sums since the previous part."""

    events: int
    days: dict[Day, DaySum]


def split(reader: LedgerReader, job: ScanJob, count: int) -> list[ScanJob]:
    """The job as up to `count` jobs of about equal length, each with whole batches."""
    ends = []
    for number in range(1, count):
        wanted = job.after_seq + (job.through_seq - job.after_seq) * number // count
        ends.append(reader.end_of_batch(wanted))
    marks = sorted({job.after_seq, *ends, job.through_seq})
    return [
        replace(job, after_seq=after, through_seq=through) for after, through in pairwise(marks)
    ]
