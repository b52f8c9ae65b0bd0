"""What a change of prices would have made of last month, before it is saved.

Every request that the change concerns is priced twice: with the book as it is, and as if the change
had held all month.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from outlay.domain.actor import Actor
from outlay.domain.errors import Invalid, Unavailable
from outlay.domain.event import SIGN, CostSource, UsageEvent
from outlay.domain.organization_price import OwnPrices
from outlay.domain.period import Period, Preset, period_of_preset
from outlay.domain.policy import Permission, permit
from outlay.kit.clock import FOREVER_US, Clock, to_us
from outlay.pricing.book import PriceBook, PricedUsage
from outlay.pricing.entries import PriceOverride
from outlay.pricing.overrides import Overrides
from outlay.services.prices import Prices, book_with, compile_prices
from outlay.services.repricing import reprice_event
from outlay.services.scan_process import OpenReader, scan_in_processes
from outlay.services.usage_pricing import read_context
from outlay.storage.ledger.queries import COST_COLUMNS
from outlay.storage.ledger.reading import LedgerReader

MAX_SECONDS: Final = 60.0
"""How long a server works on one preview; the command line has no limit."""
WAIT_SECONDS: Final = 10.0
FEW_EVENTS: Final = 50_000
"""In all the ledger: so many are read sooner than a process starts."""
SHARE: Final = 0.99
"""Of a processor, at the lowest priority."""
MAX_KEPT: Final = 20_000

_TIME, _AMENDMENT, _COST = (
    COST_COLUMNS.index(name) for name in ("event_time_us", "amendment", "cost_pusd")
)
_LABELS: Final = slice(COST_COLUMNS.index("provider"), COST_COLUMNS.index("response_model") + 1)
_CONTEXT: Final = COST_COLUMNS.index("price_context")
_EVENT_COLUMNS: Final = COST_COLUMNS[1:]
_NOT_WHOLE: Final = frozenset({CostSource.UNPRICED, CostSource.PARTIAL})


@dataclass(slots=True)
class PreviewSum:
    """Requests that a change concerns, and their cost."""

    requests: int = 0
    before_pusd: int = 0
    after_pusd: int = 0

    @property
    def difference_pusd(self) -> int:
        """What the change adds."""
        return self.after_pusd - self.before_pusd

    def add(self, other: "PreviewSum") -> None:
        """Add other requests."""
        self.requests += other.requests
        self.before_pusd += other.before_pusd
        self.after_pusd += other.after_pusd


@dataclass(slots=True)
class PreviewSums:
    """What a part of the ledger comes to."""

    events: int = 0
    """Read, concerned or not."""
    total: PreviewSum = field(default_factory=PreviewSum)
    recorded_pusd: int = 0
    """What those that are concerned cost on record."""
    unpriced_before: int = 0
    """How many of them have no price for all that they used."""
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

    def count(self, event: UsageEvent, sign: int, before: PricedUsage, after: PricedUsage) -> None:
        """Add a request that is concerned."""
        one = PreviewSum(sign, sign * before.cost_pusd, sign * after.cost_pusd)
        self.total.add(one)
        self.recorded_pusd += sign * event.cost_pusd
        self.unpriced_before += sign * (before.cost_source in _NOT_WHOLE)
        self.unpriced_after += sign * (after.cost_source in _NOT_WHOLE)
        self.by_model.setdefault(event.model, PreviewSum()).add(one)
        self.by_user.setdefault(event.user_id, PreviewSum()).add(one)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would have made of a period."""

    period: Period
    sums: PreviewSums


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewJob:
    """The requests of a span of time to be priced with two books."""

    organization_id: str
    start_us: int
    end_us: int
    through_seq: int
    before: PriceBook
    after: PriceBook
    share: float = SHARE

    def parts(self, reader: LedgerReader) -> Iterator[PreviewSums]:
        """What the requests come to, page by page."""
        concern = _Concern(self.before, self.after)
        window = (self.organization_id, self.start_us, self.end_us, self.through_seq)
        for rows in reader.read_costs(*window):
            sums = PreviewSums(events=len(rows))
            for row in rows:
                sign = SIGN[row[_AMENDMENT]]
                if not sign or not concern.has(row):
                    continue
                event = UsageEvent(**dict(zip(_EVENT_COLUMNS, row[1:], strict=True)))
                before, after = (reprice_event(book, event) for book in (self.before, self.after))
                if before != after:
                    sums.count(event, sign, before, after)
            yield sums


class _Concern:
    """Tells quickly which requests two books may price differently."""

    def __init__(self, before: PriceBook, after: PriceBook) -> None:
        self._books = (before, after)
        self._known: dict[tuple[Any, ...], tuple[int, int, bool]] = {}

    def has(self, row: tuple[Any, ...]) -> bool:
        """Whether the price of what was asked for, or of what has answered, changes."""
        key = (*row[_LABELS], row[_CONTEXT])
        at_us = row[_TIME]
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
        """The span of event times for which an answer holds, and the answer."""
        asked = read_context(context)
        from_us, until_us, is_changed = -FOREVER_US, FOREVER_US, False
        for name in (mapping, f"{provider}/{response_model}") if response_model else (mapping,):
            before, after = (book.find(provider, name, at_us, asked) for book in self._books)
            from_us = max(from_us, before.from_us, after.from_us)
            until_us = min(until_us, before.until_us, after.until_us)
            is_changed |= before[2:] != after[2:]
        return from_us, until_us, is_changed


class PricePreviews:
    """Shows what changes of prices would have made of last month."""

    def __init__(
        self,
        reader: LedgerReader,
        prices: Prices,
        base: PriceBook,
        clock: Clock,
        open_reader: OpenReader | None = None,
        max_seconds: float | None = MAX_SECONDS,
    ) -> None:
        """`open_reader` opens the ledger in another process; without, it is read in this one."""
        self._reader = reader
        self._prices = prices
        self._base = base
        self._clock = clock
        self._open_reader = open_reader
        self._max_seconds = max_seconds
        self._one_at_a_time = threading.Lock()

    def of_price(self, actor: Actor, entry: Mapping[str, Any]) -> Preview:
        """A new price; Invalid names every fault in it."""
        price, own = self._prices.draft(actor, entry), self._prices.of(actor)
        added = compile_prices(replace(own, prices=[price]))
        known = compile_prices(own)
        return self._run(
            actor, own, self._base.beneath(Overrides(prices=(*known, *_all_time(added))))
        )

    def of_rate(self, actor: Actor, entry: Mapping[str, Any]) -> Preview:
        """A new exchange rate; Invalid names every fault in it."""
        rate, own = self._prices.draft_rate(actor, entry), self._prices.of(actor)
        others = [known for known in own.rates if known.currency != rate.currency]
        changed = replace(own, rates=[*others, replace(rate, effective_from=None)])
        return self._run(actor, own, book_with(self._base, changed))

    def of_deletion(self, actor: Actor, price_id: str) -> Preview:
        """A price that is to be deleted."""
        own = self._prices.of(actor)
        self._prices.find(own, price_id)
        left = [price for price in own.prices if price.price_id != price_id]
        return self._run(actor, own, book_with(self._base, replace(own, prices=left)))

    def _run(self, actor: Actor, own: OwnPrices, after: PriceBook) -> Preview:
        permit(actor, Permission.REQUESTS_READ)
        period = period_of_preset(Preset.LAST_MONTH, self._clock.now(), actor.timezone)
        job = PreviewJob(
            organization_id=actor.organization_id,
            start_us=to_us(period.start),
            end_us=to_us(period.end),
            through_seq=self._reader.read_last_seq(),
            before=book_with(self._base, own),
            after=after,
        )
        sums = PreviewSums()
        if not self._one_at_a_time.acquire(timeout=WAIT_SECONDS):
            raise Unavailable("another preview of prices is being made; try again", code="busy")
        try:
            for part in self._parts(job):
                sums.add(part)
        finally:
            self._one_at_a_time.release()
        return Preview(period, sums)

    def _parts(self, job: PreviewJob) -> Iterator[PreviewSums]:
        check = self._limit()
        if self._open_reader is None or job.through_seq <= FEW_EVENTS:
            for part in job.parts(self._reader):
                check()
                yield part
        else:
            yield from scan_in_processes(self._open_reader, [job], check)

    def _limit(self) -> Callable[[], None]:
        """What raises when the work takes too long."""
        most = self._max_seconds
        begin = time.monotonic()

        def check() -> None:
            if most is not None and time.monotonic() - begin > most:
                raise Invalid(
                    f"last month has more requests than can be priced in {most:.0f} seconds; use "
                    "`outlay price add --dry-run`, which takes the time that it needs",
                    code="preview-too-large",
                )

        return check


def _all_time(prices: tuple[PriceOverride, ...]) -> tuple[PriceOverride, ...]:
    """A price as if it had always held, at its first exchange rate before and its last after."""
    first = replace(prices[0], from_us=-FOREVER_US)
    if len(prices) == 1:
        return (replace(first, until_us=FOREVER_US),)
    return (first, *prices[1:-1], replace(prices[-1], until_us=FOREVER_US))
