"""Erasing identities in a ledger that continues to accept events."""

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from outlay.domain.errors import Damaged
from outlay.domain.ids import OrganizationId
from outlay.kit.batches import batched
from outlay.storage.ledger import queries
from outlay.storage.ledger.batches import by_batch, damaged, read_run, runs_of
from outlay.storage.ledger.checking import BatchHead
from outlay.storage.ledger.connection import Connection
from outlay.storage.ledger.erasing import (
    MIN_ROWS,
    Draft,
    Drafts,
    Overtaken,
    Pace,
    Rewriting,
    apply_all,
    claims_replaced,
    conflicts_replaced,
    end_users_dropped,
    replace_offered,
)
from outlay.storage.ledger.reading import LedgerReader
from outlay.storage.ledger.recent import RecentBatches


class RewritableLedger(LedgerReader):
    """The rewriting of events, in steps between the commits of the ledger's writer thread."""

    _rewrites: int
    """Number of rewrites of batches so far."""
    _recent: RecentBatches

    @abstractmethod
    def _locked(self) -> AbstractContextManager[Connection]:
        """A transaction between two commits of any node: all writers wait until it ends."""

    def forget(self, organization_id: OrganizationId, identity: str, instead: str) -> int:
        """Replace an identity, ignoring case, wherever requests claimed it.

        Returns the number of changed events. Everything else, in particular numbers, stays the
        same; the batches concerned get a second checksum. May be repeated after an interruption.
        Raises Damaged, at the end, if a batch does not match its checksum.
        """
        claim = identity.lower()
        pace = Pace(None)
        with self._reading() as reader:
            replaced = [*conflicts_replaced(reader, organization_id, claim, instead)]
        for some in batched(replaced, MIN_ROWS):
            begun = time.monotonic()
            self._change(partial(replace_offered, some))
            pace.rest(begun)
        return self._rewrite(claims_replaced(organization_id, claim, instead), pace)

    def forget_end_users(
        self, organization_id: OrganizationId, before_us: int, stop: threading.Event | None = None
    ) -> int:
        """Delete claimed end users of events before an instant; returns the number of events.

        Stops early once `stop` is set. Raises Damaged like `forget`.
        """
        return self._rewrite(end_users_dropped(organization_id, before_us), Pace(stop))

    def _rewrite(self, wanted: Rewriting, pace: Pace) -> int:
        """Change events, some at a time; returns how many."""
        drafts = Drafts(self._read_drafts, wanted)
        position, changed = 0, 0
        while not pace.is_over:
            begun = time.monotonic()
            with self._reading() as reader:
                found = reader.execute(wanted.find, (*wanted.values, position, pace.rows))
                sequences = [seq for (seq,) in found]
            if not sequences:
                break
            replacements = drafts.replacements(sequences)
            try:
                if replacements:
                    pace.note(self._change(partial(apply_all, replacements)))
            except Overtaken:
                drafts.forget()
                continue
            position = sequences[-1]
            changed += sum(len(part.rows) for part in replacements)
            pace.rest(begun)
        if drafts.damage is not None:
            raise drafts.damage
        return changed

    def _change(self, apply: Callable[[Connection], object]) -> float:
        """Change rows between two commits; returns the seconds that commits had to wait."""
        with self._locked() as writer:
            begun = time.monotonic()
            apply(writer)
            (rewrites,) = writer.execute(queries.COUNT_REWRITE).fetchone()
        seconds = time.monotonic() - begun
        self._rewrites = max(self._rewrites, rewrites)
        self._recent.clear()
        return seconds

    def _read_drafts(self, sequences: Sequence[int]) -> dict[int, Draft | Damaged]:
        """The batches of some sequence numbers, or the error of a damaged one."""
        drafts: dict[int, Draft | Damaged] = {}
        with self.snapshot() as reader:
            found = reader.execute(queries.heads_of(len(sequences)), sequences)
            heads = [BatchHead._make(head) for head in found]
            shown = by_batch(heads, {seq: (seq,) for seq in sequences})
            for run in runs_of(heads):
                for head, rows in read_run(reader, run):
                    draft = (
                        Draft(head, rows)
                        if rows is not None
                        else damaged(head.batch_id, head.first_seq, head.last_seq)
                    )
                    drafts.update({seq: draft for (seq,) in shown[head]})
        return drafts
