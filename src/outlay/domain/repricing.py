"""Repricing: the requests to reprice, the changes and their amounts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Final

from outlay.domain.event import CostSource, UsageEvent
from outlay.domain.ids import OrganizationId

MAX_LINES: Final = 100
"""Maximum number of rows per table of a comparison; the rest is one more row."""


SILENT_US: Final = 60_000_000
"""A run without a heartbeat for this long is considered interrupted."""


class RunState(StrEnum):
    """The state of a run."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    """It ended before it was finished. Its changes remain; a new run does the rest."""


class Cause(StrEnum):
    """Why the cost of a request changes when it is repriced."""

    PRICED_NOW = "had no price"
    COMPLETED = "a part had no price"
    PRICE_LOST = "has no price any more"
    POLICY = "another cost counts first"
    OTHER_PRICE = "another price applies"
    CALCULATION = "same price, calculated otherwise"


def cause_of(before: UsageEvent, after: UsageEvent) -> Cause:
    """Why the cost of an event changes."""
    lacking = {CostSource.UNPRICED, CostSource.PARTIAL}
    if after.cost_source in lacking and before.cost_source not in lacking:
        return Cause.PRICE_LOST
    if before.cost_source is CostSource.UNPRICED:
        return Cause.PRICED_NOW
    if before.cost_source is CostSource.PARTIAL and after.cost_source not in lacking:
        return Cause.COMPLETED
    if (before.cost_source is CostSource.REPORTED) is not (
        after.cost_source is CostSource.REPORTED
    ):
        return Cause.POLICY
    return Cause.CALCULATION if before.price_ref == after.price_ref else Cause.OTHER_PRICE


@dataclass(frozen=True, slots=True, kw_only=True)
class RepriceWanted:
    """The requests to reprice."""

    from_date: date
    to_date: date
    """Inclusive."""
    timezone: str
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values by dimension, as in the API."""
    only_lacking: bool = False
    """Only requests with missing prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepriceLine:
    """Changed requests that share a property."""

    key: str
    """Empty for requests without the property."""
    label: str = ""
    """The display name; not stored, because names of people must not be."""
    requests: int
    before_pusd: int
    after_pusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RepriceTable:
    """The changes of a repricing."""

    seen: int
    """Requests that were checked."""
    changed: int
    before_pusd: int
    """The old cost of the changed requests."""
    after_pusd: int
    by_model: Sequence[RepriceLine]
    by_user: Sequence[RepriceLine]
    by_cause: Sequence[RepriceLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprice:
    """A run that repriced requests or reverted another run."""

    reprice_id: str
    organization_id: OrganizationId
    author: str
    """The member who started it; empty for the operator."""
    reason: str
    created_at_us: int
    wanted: RepriceWanted
    reverts: str = ""
    """The run that this one reverts."""
    alive_at_us: int = 0
    """The last heartbeat."""
    finished_at_us: int | None = None
    """None while it is running, and if it was interrupted."""
    table: RepriceTable | None = None
    """Its changes; None until it is finished."""
    skipped: int = 0
    """Requests that were amended after the reverted run and are left unchanged."""

    def state_at(self, now_us: int) -> RunState:
        """The state, judged by the last heartbeat."""
        if self.finished_at_us is not None:
            return RunState.FINISHED
        is_silent = now_us - max(self.alive_at_us, self.created_at_us) > SILENT_US
        return RunState.INTERRUPTED if is_silent else RunState.RUNNING


def labelled(table: RepriceTable, users: Mapping[str, str]) -> RepriceTable:
    """The table with display names of its lines."""

    def named(lines: Sequence[RepriceLine], labels: Mapping[str, str]) -> list[RepriceLine]:
        return [
            replace(line, label=labels.get(line.key, line.key) or "Unattributed") for line in lines
        ]

    return replace(
        table,
        by_model=named(table.by_model, {}),
        by_user=named(table.by_user, users),
        by_cause=named(table.by_cause, {}),
    )


class RepriceTally:
    """Sums the changes request by request."""

    def __init__(self, user_of: Callable[[str], str] = str) -> None:
        """`user_of` maps a user to the one it is merged into."""
        self._user_of = user_of
        self.seen = 0
        self._lines: dict[str, dict[str, list[int]]] = {"model": {}, "user": {}, "cause": {}}

    def add(self, before: UsageEvent, after: UsageEvent) -> None:
        """Add a changed request."""
        for by, key in (
            ("model", before.model),
            ("user", self._user_of(before.user_id)),
            ("cause", cause_of(before, after).value),
        ):
            line = self._lines[by].setdefault(key, [0, 0, 0])
            line[0] += 1
            line[1] += before.cost_pusd
            line[2] += after.cost_pusd

    def table(self) -> RepriceTable:
        """The resulting table."""
        causes = self._lines["cause"].values()
        return RepriceTable(
            seen=self.seen,
            changed=sum(line[0] for line in causes),
            before_pusd=sum(line[1] for line in causes),
            after_pusd=sum(line[2] for line in causes),
            by_model=self._sorted("model"),
            by_user=self._sorted("user"),
            by_cause=self._sorted("cause"),
        )

    def _sorted(self, by: str) -> list[RepriceLine]:
        """The lines with the largest changes; the rest as one line, Other."""
        lines = [
            RepriceLine(key=key, requests=requests, before_pusd=before, after_pusd=after)
            for key, (requests, before, after) in self._lines[by].items()
        ]
        lines.sort(key=lambda line: (-abs(line.after_pusd - line.before_pusd), line.key))
        rest = lines[MAX_LINES:]
        if rest:
            lines[MAX_LINES:] = [
                RepriceLine(
                    key=f"Other ({len(rest):,})",
                    requests=sum(line.requests for line in rest),
                    before_pusd=sum(line.before_pusd for line in rest),
                    after_pusd=sum(line.after_pusd for line in rest),
                )
            ]
        return lines
