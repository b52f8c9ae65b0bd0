"""The compared period in words."""

from dataclasses import dataclass

from outlay.domain.answers import Comparison, OnRecord
from outlay.domain.comparison_period import whole_months
from outlay.domain.period import Period, Preset, bucket_start, parse_zone
from outlay.web.dashboard.dates import (
    describe_date,
    describe_dates,
    describe_range,
    describe_step,
    describe_time,
)
from outlay.web.dashboard.parts.chart_data import ComparedPeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A compared period in words."""

    label: str
    """Its dates: `Aug 27 – Sep 26, 2026`."""
    name: str
    """Its name in a sentence: `September 2026`, or its dates."""
    short: str
    """Its short name: `September`, `Aug 27 – Sep 26`."""
    note: str
    """Empty; `only Aug 31 – Sep 26 is on record`; or `new since Aug 31`."""
    is_new: bool
    """Nothing of it is recorded, so there is no growth."""


def describe_compared(comparison: Comparison) -> Compared | None:
    """The compared period in words; None if there is none."""
    if not comparison.is_compared:
        return None
    earlier = comparison.earlier_period
    is_same_year = earlier.from_date.year == comparison.period.to_date.year
    is_hours = comparison.period.preset is Preset.LAST_24_HOURS
    label = _hours(earlier) if is_hours else describe_dates(earlier)
    name = _calendar_name(earlier) or label
    short = describe_dates(earlier, with_year=not is_same_year)
    if name != label:
        short = name.removesuffix(f" {earlier.from_date.year}") if is_same_year else name
    return Compared(
        label=label,
        name=name,
        short=short,
        note=_note(comparison, is_hours=is_hours),
        is_new=comparison.on_record is OnRecord.NOTHING,
    )


def compared_data(comparison: Comparison) -> ComparedPeriod | None:
    """The compared period for charts; None if there is nothing to draw or to compare with.

    `dates` has the label of the earlier step of each point, None if none is recorded.
    """
    compared = describe_compared(comparison)
    if compared is None or compared.is_new:
        return None
    since = comparison.recorded_from or 0
    names = [
        describe_step(step, comparison.interval) if step.end_bucket > since else None
        for step in comparison.earlier_windows
    ]
    count = len(comparison.current.steps)
    return ComparedPeriod(
        label=compared.label, note=compared.note, dates=[*names, *[None] * count][:count]
    )


def _note(comparison: Comparison, *, is_hours: bool) -> str:
    since = comparison.recorded_from
    if comparison.on_record is OnRecord.ALL or since is None:
        return ""
    local = bucket_start(since).astimezone(parse_zone(comparison.period.timezone))
    if comparison.on_record is OnRecord.NOTHING:
        return f"new since {describe_time(local) if is_hours else describe_date(local.date())}"
    earlier = comparison.earlier_period
    if is_hours:
        return f"recorded only after {describe_time(local)}"
    return f"only {describe_range(local.date(), earlier.to_date, with_year=False)} recorded"


def _calendar_name(period: Period) -> str:
    """`October 2026`, `Q3 2026`, `2025`; empty for a period without a name."""
    first = period.from_date
    match whole_months(period):
        case 1:
            return f"{first:%B %Y}"
        case 3 if first.month % 3 == 1:
            return f"Q{first.month // 3 + 1} {first.year}"
        case 12 if first.month == 1:
            return str(first.year)
        case _:
            return ""


def _hours(period: Period) -> str:
    zone = parse_zone(period.timezone)
    start, end = period.start.astimezone(zone), period.end.astimezone(zone)
    return f"{describe_time(start)} – {describe_time(end, with_year=True)}"
