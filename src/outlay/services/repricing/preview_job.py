"""Pricing the requests of a period with two books, in any process that can read the ledger."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from outlay.domain.event import SIGN, CostSource
from outlay.domain.ids import OrganizationId
from outlay.domain.price_context import read_context
from outlay.kit.clock import FOREVER_US
from outlay.pricing.book import PriceBook, PricedUsage
from outlay.services.recording.usage_pricing import price_billed
from outlay.services.repricing.repricer import billed_of
from outlay.storage.ledger.cost_rows import CostRow
from outlay.storage.ledger.reading import LedgerReader

MAX_KEPT: Final = 20_000

_NOT_WHOLE: Final = frozenset({CostSource.UNPRICED, CostSource.PARTIAL})


@dataclass(slots=True)
class PreviewSum:
    """Affected requests, and their cost."""

    requests: int = 0
    before_pusd: int = 0
    after_pusd: int = 0

    @property
    def difference_pusd(self) -> int:
        """The increase by the change."""
        return self.after_pusd - self.before_pusd

    def add(self, other: "PreviewSum") -> None:
        """Add other requests."""
        self.requests += other.requests
        self.before_pusd += other.before_pusd
        self.after_pusd += other.after_pusd


@dataclass(slots=True)
class PreviewSums:
    """The sums over a part of the ledger."""

    events: int = 0
    """All read requests."""
    total: PreviewSum = field(default_factory=PreviewSum)
    recorded_pusd: int = 0
    """The recorded cost of the affected ones."""
    unpriced_before: int = 0
    """Affected requests without a complete price."""
    unpriced_after: int = 0
    by_model: dict[str, PreviewSum] = field(default_factory=dict)
    by_user: dict[str, PreviewSum] = field(default_factory=dict)

    def add(self, other: "PreviewSums") -> None:
        """Add another part."""
        self.events += other.events
        self.total.add(other.total)
        self.recorded_pusd += other.recorded_pusd
        self.unpriced_before += other.unpriced_before
        self.unpriced_after += other.unpriced_after
        for mine, theirs in ((self.by_model, other.by_model), (self.by_user, other.by_user)):
            for key, found in theirs.items():
                mine.setdefault(key, PreviewSum()).add(found)

    def count(self, row: CostRow, sign: int, before: PricedUsage, after: PricedUsage) -> None:
        """Add an affected request."""
        one = PreviewSum(sign, sign * before.cost_pusd, sign * after.cost_pusd)
        self.total.add(one)
        self.recorded_pusd += sign * row.cost_pusd
        self.unpriced_before += sign * (before.cost_source in _NOT_WHOLE)
        self.unpriced_after += sign * (after.cost_source in _NOT_WHOLE)
        self.by_model.setdefault(row.model, PreviewSum()).add(one)
        self.by_user.setdefault(row.user_id, PreviewSum()).add(one)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewJob:
    """The requests of a period to be priced with two books."""

    organization_id: OrganizationId
    start_us: int
    end_us: int
    through_seq: int
    before: PriceBook
    after: PriceBook
    share: float = 1
    """Full speed, because a user is waiting."""

    def parts(self, reader: LedgerReader) -> Iterator[PreviewSums]:
        """The sums, page by page."""
        concern = _Concern(self.before, self.after)
        window = (self.organization_id, self.start_us, self.end_us, self.through_seq)
        for rows in reader.read_costs(*window):
            sums = PreviewSums(events=len(rows))
            for row in rows:
                sign = SIGN[row.amendment]
                if not sign or not concern.has(row):
                    continue
                billed = billed_of(row)
                before, after = price_billed(self.before, billed), price_billed(self.after, billed)
                if before != after:
                    sums.count(row, sign, before, after)
            yield sums


class _Concern:
    """A fast filter for requests that two books may price differently."""

    def __init__(self, before: PriceBook, after: PriceBook) -> None:
        self._books = (before, after)
        self._known: dict[tuple[str, ...], tuple[int, int, bool]] = {}

    def has(self, row: CostRow) -> bool:
        """Whether the price of the requested model, or of the one that answered, changes."""
        key = (row.provider, row.mapping, row.response_model, row.price_context)
        at_us = row.event_time_us
        known = self._known.get(key)
        if known is None or not known[0] <= at_us < known[1]:
            known = self._look(at_us, *key)
            if len(self._known) >= MAX_KEPT:
                self._known.clear()
            self._known[key] = known
        return known[2]

    def _look(
        self, at_us: int, provider: str, mapping: str, response_model: str, context: str
    ) -> tuple[int, int, bool]:
        """The answer, and the span of event times for which it is valid."""
        asked = read_context(context)
        from_us, until_us, is_changed = -FOREVER_US, FOREVER_US, False
        for name in (mapping, f"{provider}/{response_model}") if response_model else (mapping,):
            before, after = (book.find(provider, name, at_us, asked) for book in self._books)
            from_us = max(from_us, before.from_us, after.from_us)
            until_us = min(until_us, before.until_us, after.until_us)
            is_changed |= before[2:] != after[2:]
        return from_us, until_us, is_changed
