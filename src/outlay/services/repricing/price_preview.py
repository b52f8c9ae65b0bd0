"""Preview of a price change: its effect on last month, before it is saved.

Every affected request is priced twice: with the current book, and as if the change had applied all
month.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.ids import OrganizationId
from outlay.domain.money import render_usd
from outlay.domain.organization_price import OwnPrices
from outlay.domain.period import Period, Preset, period_of_preset
from outlay.domain.policy import Permission, permit
from outlay.kit.clock import FOREVER_US, Clock, to_us
from outlay.pricing.book import PriceBook
from outlay.pricing.entries import PriceOverride
from outlay.pricing.overrides import Overrides
from outlay.services.analytics.labels import read_labels
from outlay.services.cube.scan_process import OpenReader, scan_in_processes
from outlay.services.directory.prices import Prices, book_with, compile_prices
from outlay.services.repricing.bounded_previews import BoundedPreviews
from outlay.services.repricing.preview_job import PreviewJob, PreviewSum, PreviewSums
from outlay.storage.directory.discovered import list_merges
from outlay.storage.directory.engine import Directory
from outlay.storage.ledger.reading import LedgerReader

MAX_SECONDS: Final = 60.0
"""The server's time limit for one preview; the command line has none."""
FEW_EVENTS: Final = 50_000
"""A ledger with fewer events is read faster than a process starts."""
TOP: Final = 5
"""Rows of a table; the rest is summed in one row."""


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """The effect of a change on one model or user."""

    value: str
    """Empty for unattributed usage."""
    name: str
    sum: PreviewSum


@dataclass(frozen=True, slots=True)
class PreviewTable:
    """Rows with the largest difference first."""

    rows: tuple[PreviewRow, ...]
    others: int
    """The number of further rows."""
    rest: PreviewSum
    """The sum of the further rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The effect of a change on a period."""

    period: Period
    sums: PreviewSums
    models: PreviewTable
    users: PreviewTable

    @property
    def summary(self) -> str:
        """The number of affected requests, as a sentence."""
        month = f"{self.period.from_date:%B %Y}"
        count = self.sums.total.requests
        if not count:
            return f"No request of {month} is concerned."
        requests = f"{count:,} request{'' if count == 1 else 's'}"
        return f"{requests} of {month}, priced as if the change had held all month."

    @property
    def notes(self) -> list[str]:
        """Remarks, as sentences."""
        sums, found = self.sums, []
        if sums.unpriced_before or sums.unpriced_after:
            found.append(
                "Without a price for all that they used: "
                f"{sums.unpriced_before:,} requests before, {sums.unpriced_after:,} after."
            )
        if sums.recorded_pusd != sums.total.before_pusd:
            recorded = render_usd(sums.recorded_pusd)
            found.append(
                f"On record they cost {recorded} USD: prices have changed since, or amounts that "
                "senders reported count."
            )
        return found


class PricePreviews:
    """Previews price changes on last month's requests."""

    def __init__(
        self,
        reader: LedgerReader,
        directory: Directory,
        prices: Prices,
        base: PriceBook,
        clock: Clock,
        open_reader: OpenReader | None = None,
        max_seconds: float | None = MAX_SECONDS,
    ) -> None:
        """`open_reader` opens the ledger in another process; without it, it is read in this one."""
        self._reader = reader
        self._directory = directory
        self._prices = prices
        self._base = base
        self._clock = clock
        self._open_reader = open_reader
        self._max_seconds = max_seconds
        self._previews = BoundedPreviews()

    def of_price(self, actor: Actor, entry: Mapping[str, Any]) -> Preview:
        """Preview a new price; raises Invalid with every error in it."""
        price, own = self._prices.draft(actor, entry), self._prices.list_for(actor)
        added = compile_prices(replace(own, prices=[price]))
        known = compile_prices(own)
        return self._run(
            actor, own, self._base.beneath(Overrides(prices=(*known, *_all_time(added))))
        )

    def of_rate(self, actor: Actor, entry: Mapping[str, Any]) -> Preview:
        """Preview a new exchange rate; raises Invalid with every error in it."""
        rate, own = self._prices.draft_rate(actor, entry), self._prices.list_for(actor)
        others = [known for known in own.rates if known.currency != rate.currency]
        changed = replace(own, rates=[*others, replace(rate, effective_from=None)])
        return self._run(actor, own, book_with(self._base, changed))

    def of_deletion(self, actor: Actor, price_id: str) -> Preview:
        """Preview the deletion of a price."""
        own = self._prices.list_for(actor)
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
        with self._previews.begin(self._max_seconds, self._too_long) as check:
            for part in self._parts(job, check):
                sums.add(part)
        return Preview(
            period=period,
            sums=sums,
            models=_table(sums.by_model, {}),
            users=self._users(actor.organization_id, sums),
        )

    def _users(self, organization_id: OrganizationId, sums: PreviewSums) -> PreviewTable:
        with self._directory.read() as session:
            merges = list_merges(session, organization_id)
        merged: dict[str, PreviewSum] = {}
        for value, found in sums.by_user.items():
            target = merges.target(Dimension.USER, value)
            merged.setdefault(target, PreviewSum()).add(found)
        return _table(merged, read_labels(self._directory, organization_id, Dimension.USER))

    def _parts(self, job: PreviewJob, check: Callable[[], None]) -> Iterator[PreviewSums]:
        if self._open_reader is None or job.through_seq <= FEW_EVENTS:
            for part in job.parts(self._reader):
                check()
                yield part
        else:
            yield from scan_in_processes(self._open_reader, [job], check)

    def _too_long(self) -> Invalid:
        return Invalid(
            f"Last month has more requests than can be priced in {self._max_seconds:.0f} seconds. "
            "Use `outlay price add --dry-run`, which has no time limit.",
            code=ErrorCode.PREVIEW_TOO_LARGE,
        )


def _all_time(prices: tuple[PriceOverride, ...]) -> tuple[PriceOverride, ...]:
    """A price as if it always applied, with its first exchange rate before and its last after."""
    first = replace(prices[0], from_us=-FOREVER_US)
    if len(prices) == 1:
        return (replace(first, until_us=FOREVER_US),)
    return (first, *prices[1:-1], replace(prices[-1], until_us=FOREVER_US))


def _table(sums: Mapping[str, PreviewSum], labels: Mapping[str, str]) -> PreviewTable:
    ranked = sorted(
        sums.items(),
        key=lambda item: (-abs(item[1].difference_pusd), -item[1].before_pusd, item[0]),
    )
    rest = PreviewSum()
    for _, found in ranked[TOP:]:
        rest.add(found)
    rows = (PreviewRow(value, labels.get(value, value), found) for value, found in ranked[:TOP])
    return PreviewTable(tuple(rows), max(0, len(ranked) - TOP), rest)
