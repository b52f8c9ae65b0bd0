"""Why lines of a bill differ from the recorded usage, with an amount for each reason.

The amounts of a line add up to its difference. A reason that applies to some of its requests
explains at most their share of the line, so that one odd request does not explain everything; a
remainder beyond the tolerance is unexplained.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from outlay.domain.answers import ZERO, Totals
from outlay.domain.money import divide_half_even
from outlay.domain.reconciliation import Reason, ReasonPart

Key = tuple[date, str, str]
"""Day, project and canonical model."""
Hours = Mapping[date, Mapping[str, Mapping[int, int]]]
"""Requests by day, model and hour of the day."""

SAME_RATIO: Final = 0.005
"""Maximum difference between the ratios of two days that may come from one price."""


_TOOL: Final = re.compile("call|code|container|interpreter|search|session|tool", re.IGNORECASE)
"""Words in the names of tools on bills."""


@dataclass(slots=True)
class BothSides:
    """A line of the bill with the recorded usage."""

    recorded: Totals = ZERO
    billed_pusd: int = 0
    credit_pusd: int = 0
    is_billed: bool = False

    @property
    def difference_pusd(self) -> int:
        """Billed minus recorded."""
        return self.billed_pusd - self.recorded.cost_pusd


@dataclass(frozen=True, slots=True)
class Ratio:
    """A model's billed and recorded cost on one day."""

    billed_pusd: int
    recorded_pusd: int

    @property
    def factor(self) -> float:
        """Billed divided by recorded."""
        return self.billed_pusd / self.recorded_pusd

    def is_like(self, other: "Ratio") -> bool:
        """Whether both may come from one price."""
        return abs(self.factor / other.factor - 1) <= SAME_RATIO

    def beyond(self, recorded_pusd: int) -> int:
        """The excess of the bill over an amount, at the bill's price."""
        more = recorded_pusd * (self.billed_pusd - self.recorded_pusd)
        return divide_half_even(more, self.recorded_pusd)


class BillReasons:
    """The reasons of all lines of a bill."""

    def __init__(
        self,
        lines: Mapping[Key, BothSides],
        hours: Hours,
        *,
        is_model: Callable[[str], bool],
        tolerance_pusd: int,
        timezone: str,
    ) -> None:
        """`is_model` says whether a name on the bill is a model's."""
        self._lines = lines
        self._hours = hours
        self._tolerance = tolerance_pusd
        self._timezone = timezone
        self._models = {key[2] for key, both in lines.items() if both.recorded.requests}
        self._is_model = is_model
        self._missing = missing_hours(hours)
        self._prices = self._find_prices()
        self._moved = self._find_moved()

    def parts_for(self, key: Key) -> list[ReasonPart]:
        """The parts of a line's difference."""
        both = self._lines[key]
        split = _Split(both.difference_pusd, self._tolerance)
        split.take(Reason.CREDIT, both.credit_pusd)
        split.take(Reason.BILLED_AS_TOOLS, self._moved.get(key, 0))
        if split.is_small:
            split.take(Reason.ROUNDING, split.rest)
        elif not both.is_billed:
            split.take(Reason.NOT_BILLED, split.rest)
        elif not both.recorded.requests:
            reason = Reason.NOT_RECORDED if self._names_model(key[2]) else Reason.TOOL
            split.take(reason, split.rest)
        else:
            self._explain(key, both, split)
        return split.parts

    def _explain(self, key: Key, both: BothSides, split: "_Split") -> None:
        """Subtract from a difference what problems of the line's requests explain."""
        day, _, model = key
        totals = both.recorded
        if found := self._prices.get(model, {}).get(day):
            ratio, since = found
            detail = f"the bill is {ratio.factor:.3f} times the recorded cost since {since}"
            split.take(Reason.PRICE, ratio.beyond(totals.cost_pusd), detail)
        billed = max(0, both.billed_pusd - both.credit_pusd)
        unpriced = max(0, totals.unpriced_requests - totals.unknown_usage_requests)
        for reason, count in (
            (Reason.PARTLY_PRICED, totals.partly_priced_requests),
            (Reason.UNPRICED, unpriced),
            (Reason.UNKNOWN_USAGE, totals.unknown_usage_requests),
        ):
            split.take_up_to(reason, 0, _part(billed, count, totals.requests), _requests(count))
        count = totals.estimated_requests
        most, least = (_part(whole, count, totals.requests) for whole in (billed, totals.cost_pusd))
        split.take_up_to(Reason.ESTIMATED, -least, most, _requests(count))
        missing = self._missing.get(day, ())
        detail = f"{spans(missing)} {self._timezone}"
        share = self._missing_share(day, model)
        split.take_up_to(Reason.MISSING_HOURS, 0, _part(billed, *share), detail)
        split.take(Reason.ROUNDING if split.is_small else Reason.UNEXPLAINED, split.rest)

    def _names_model(self, model: str) -> bool:
        return not model or model in self._models or self._is_model(model)

    def _missing_share(self, day: date, model: str) -> tuple[int, int]:
        """The requests of a model that missing hours have on other days, and all requests of those
        days."""
        inside = whole = 0
        missing = frozenset(self._missing.get(day, ()))
        for other, models in self._hours.items():
            if other == day or not missing:
                continue
            for name in [model] if model else [*models]:
                by_hour = models.get(name, {})
                whole += sum(by_hour.values())
                inside += sum(count for hour, count in by_hour.items() if hour in missing)
        return inside, whole

    def _find_prices(self) -> dict[str, dict[date, tuple[Ratio, date]]]:
        """By model and day, the factor of the bill's price and the day it starts.

        It is determined on days without other problems, at least two in a row, and applies to the
        days between and around them.
        """
        found: dict[str, dict[date, tuple[Ratio, date]]] = {}
        days = sorted({key[0] for key in self._lines})
        for model, ratios in self._ratios().items():
            runs = [run for run in runs_of(ratios) if len(run) > 1]
            runs = [run for run in runs if abs(ratios[run[0]].factor - 1) > SAME_RATIO]
            prices = found[model] = {}
            for day in days:
                if day in ratios:
                    own = next((run for run in runs if day in run), None)
                    if own:
                        prices[day] = ratios[day], own[0]
                elif own := _run_around(day, runs, ratios):
                    prices[day] = ratios[_nearest(day, own)], own[0]
        return found

    def _ratios(self) -> dict[str, dict[date, Ratio]]:
        """By model and day, if the recorded usage is complete."""
        sums: dict[tuple[str, date], list[int]] = {}
        for (day, _, model), both in self._lines.items():
            totals = both.recorded
            sides = sums.setdefault((model, day), [0, 0, 0])
            sides[0] += both.billed_pusd - both.credit_pusd
            sides[1] += totals.cost_pusd
            sides[2] += (
                totals.unpriced_requests
                + totals.partly_priced_requests
                + totals.unknown_usage_requests
            )
        ratios: dict[str, dict[date, Ratio]] = defaultdict(dict)
        for (model, day), (billed, recorded, uncounted) in sums.items():
            is_whole = not uncounted and not self._missing.get(day)
            if is_whole and billed > self._tolerance and recorded > self._tolerance:
                ratios[model][day] = Ratio(billed, recorded)
        return ratios

    def _find_moved(self) -> dict[Key, int]:
        """Amounts recorded with models but billed on lines of tools, by line; they add up to 0."""
        tools: dict[tuple[date, str], list[tuple[Key, int]]] = defaultdict(list)
        models: dict[tuple[date, str], list[tuple[Key, int]]] = defaultdict(list)
        for key, both in sorted(self._lines.items()):
            above = min(both.recorded.meter_cost_pusd, both.credit_pusd - both.difference_pusd)
            if both.recorded.requests and both.is_billed and above > 0:
                models[key[:2]].append((key, above))
            elif not (both.recorded.requests or self._names_model(key[2])) and _TOOL.search(key[2]):
                tools[key[:2]].append((key, max(0, both.billed_pusd)))
        moved: dict[Key, int] = {}
        for place, wanted in models.items():
            whole = min(_sum(tools[place]), _sum(wanted))
            moved |= _shared_out(tools[place], whole)
            moved |= {key: -part for key, part in _shared_out(wanted, whole).items()}
        return moved


def _sum(parts: Sequence[tuple[Key, int]]) -> int:
    return sum(part for _, part in parts)


@dataclass(slots=True)
class _Split:
    """A difference from which reasons take their parts."""

    rest: int
    tolerance: int
    parts: list[ReasonPart] = field(default_factory=list)

    @property
    def is_small(self) -> bool:
        """Whether the remainder is within the tolerance."""
        return abs(self.rest) <= self.tolerance

    def take(self, reason: Reason, amount: int, detail: str = "") -> None:
        """Give a reason its part."""
        if amount:
            self.parts.append(ReasonPart(reason=reason, amount_pusd=amount, detail=detail))
            self.rest -= amount

    def take_up_to(self, reason: Reason, least: int, most: int, detail: str) -> None:
        """Give a reason the remainder, as far as the reason explains it; nothing if the remainder
        is small."""
        if not self.is_small:
            self.take(reason, max(least, min(most, self.rest)), detail)


def _part(whole: int, count: int, of: int) -> int:
    """The share of some requests in an amount."""
    return divide_half_even(whole * min(count, of), of) if of else 0


def _shared_out(wanted: Sequence[tuple[Key, int]], whole: int) -> dict[Key, int]:
    """An amount distributed over lines in order, each at most its capacity."""
    given = {}
    for key, most in wanted:
        given[key] = min(most, whole)
        whole -= given[key]
    return given


def runs_of(ratios: Mapping[date, Ratio]) -> list[list[date]]:
    """Ranges of days on which the bill is the same multiple of the recorded cost."""
    runs: list[list[date]] = []
    for day in sorted(ratios):
        if runs and ratios[runs[-1][-1]].is_like(ratios[day]):
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _nearest(day: date, run: Sequence[date]) -> date:
    return min(run, key=lambda other: abs((other - day).days))


def _run_around(
    day: date, runs: Sequence[list[date]], ratios: Mapping[date, Ratio]
) -> list[date] | None:
    """The range for a day without its own ratio: that of the nearest day with one."""
    if not ratios:
        return None
    nearest = _nearest(day, sorted(ratios))
    return next((run for run in runs if nearest in run), None)


def missing_hours(hours: Hours) -> dict[date, list[int]]:
    """Hours without requests that have requests on at least half of the other days."""
    busy = {
        day: {hour for by_hour in models.values() for hour in by_hour}
        for day, models in hours.items()
    }
    counts = [sum(hour in found for found in busy.values()) for hour in range(24)]
    others = len(busy) - 1
    return {
        day: [
            hour
            for hour in range(24)
            if hour not in found and others and 2 * counts[hour] >= others
        ]
        for day, found in busy.items()
    }


def _requests(count: int) -> str:
    return f"{count:,} request{'' if count == 1 else 's'}"


def spans(hours: Iterable[int]) -> str:
    """Hours as ranges, `02-05, 17-18`: from the start to the end of the last hour."""
    found: list[list[int]] = []
    for hour in hours:
        if found and found[-1][1] == hour:
            found[-1][1] = hour + 1
        else:
            found.append([hour, hour + 1])
    return ", ".join(f"{start:02d}-{end:02d}" for start, end in found)
