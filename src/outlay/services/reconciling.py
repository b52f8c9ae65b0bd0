"""Bills against records: a provider's own costs per day, project and model beside ours, and why."""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.audit import Action
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.period import Interval, Period, period_of_dates, steps_of
from outlay.domain.provider import provider_called
from outlay.domain.query import RowQuery
from outlay.domain.reconciliation import BillLine, Reason, ReconciledLine, Reconciliation
from outlay.domain.result import ZERO, Totals
from outlay.kit.clock import from_us
from outlay.kit.ids import new_id
from outlay.services.analytics import Analytics
from outlay.services.checks import pick
from outlay.services.importing import FileImport, read_import
from outlay.services.prices import PriceBooks
from outlay.services.trail import Trail
from outlay.storage.cube.store import CubeReader
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.reconciliations import (
    create_reconciliation,
    list_reconciliations,
)
from outlay.wire.files.mapping import FileMapping, find_mapping, parse_mapping

FORMATS: Final = {
    "openai": "openai-costs",
    "anthropic": "anthropic-costs",
    "openrouter": "openrouter-activity",
}
"""The format of each provider's costs."""

MAX_LINES: Final = 50_000
SAME_RATIO: Final = 0.005
"""How far ratios of two days may lie apart and still come from one price."""
DEFAULT_TOLERANCE_PUSD: Final = 10**10
"""One cent."""

_MEASURES: Final = (
    "requests",
    "cost_pusd",
    "unpriced_requests",
    "estimated_requests",
    "unknown_usage_requests",
)
_ALL_MODELS: Final = "all models"
_Key = tuple[date, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillFile:
    """A provider's own export of costs, as it comes."""

    provider: str
    content: str
    file_name: str
    mapping: str = ""
    """TOML that says which column is what, for a provider whose costs have no format here."""
    tolerance_pusd: int = DEFAULT_TOLERANCE_PUSD
    """What a line may differ by."""


@dataclass(slots=True)
class _Both:
    """A line under way."""

    recorded: Totals = ZERO
    billed_pusd: int = 0
    is_billed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A provider's costs as a file has them."""

    provider: str
    lines: Sequence[BillLine]
    project_names: Mapping[str, str] = field(default_factory=dict)


def read_bill(
    path: Path,
    provider: str,
    mapping: FileMapping | None,
    canonical: Callable[[str], str],
    now: datetime,
) -> Bill:
    """The lines of a file of costs; Invalid when a row of it cannot be read, or it has no costs."""
    provider = provider_called(provider)
    if mapping is None:
        if provider not in FORMATS:
            known = ", ".join(FORMATS)
            raise Invalid(
                f"the costs of {provider!r} have no format of their own here ({known} have); say "
                "with --mapping which column is what",
                field="provider",
            )
        mapping = find_mapping(FORMATS[provider])
    lines: dict[_Key, int] = defaultdict(int)
    names: dict[str, str] = {}
    for row in read_import(FileImport(path=path, mapping=mapping), now):
        if row.fault:
            raise Invalid(f"row {row.number}: {row.fault}", code="malformed-file")
        for report in row.reports:
            if report.reported_cost_pusd is None:
                raise Invalid(f"row {row.number} has no cost", code="malformed-file")
            model = report.mapping.partition("/")[2]
            key = (
                from_us(report.event_time_us).date(),
                report.project_id,
                "" if model == _ALL_MODELS else canonical(report.mapping),
            )
            lines[key] += report.reported_cost_pusd
            if len(lines) > MAX_LINES:
                raise Invalid(f"more than {MAX_LINES:,} lines; compare a shorter time")
            names |= report.names
    if not lines:
        raise Invalid("the file has no costs", code="empty-file")
    return Bill(
        provider=provider,
        lines=[
            BillLine(day=day, project=project, model=model, cost_pusd=cost)
            for (day, project, model), cost in sorted(lines.items())
        ],
        project_names=names,
    )


class Reconciling:
    """Compares bills of an actor's organization and keeps what came of it."""

    def __init__(
        self, directory: Directory, trail: Trail, analytics: Analytics, prices: PriceBooks
    ) -> None:
        self._directory = directory
        self._trail = trail
        self._analytics = analytics
        self._prices = prices

    def of(self, actor: Actor) -> list[Reconciliation]:
        """What was compared, newest first."""
        with self._directory.read() as session:
            return list_reconciliations(session, actor.organization_id)

    def find(self, actor: Actor, reconciliation_id: str) -> Reconciliation:
        """One of them; NotFound when there is none."""
        return pick(
            self.of(actor),
            lambda known: known.reconciliation_id == reconciliation_id,
            "reconciliation",
        )

    def reconcile(self, actor: Actor, file: BillFile) -> Reconciliation:
        """Compare a file of costs with what was recorded on its days, and keep the result."""
        name = Path(file.file_name).name
        if not name.isprintable():
            raise Invalid("the file's name has characters that are not text", field="fileName")
        mapping = parse_mapping(file.mapping.encode(), "mapping") if file.mapping else None
        now = from_us(self._analytics.now_us())
        canonical = self._prices.of(actor.organization_id).canonical_model
        with tempfile.TemporaryDirectory() as folder:
            # What rows are written in is told by the name and the first bytes.
            path = Path(folder) / f"costs{''.join(Path(name).suffixes[-1:])}"
            path.write_text(file.content, encoding="utf-8", errors="replace", newline="")
            try:
                bill = read_bill(path, file.provider, mapping, canonical, now)
            except Invalid as error:
                # Where it lies meanwhile is nobody's business; they know it by its name.
                message = error.message.replace(str(path), name)
                raise Invalid(message, code=error.code, field=error.field) from None
        found = self._compare(actor.organization_id, bill, file.tolerance_pusd)
        with self._trail.change(actor) as change:
            found = replace(
                found,
                reconciliation_id=new_id("rec"),
                created_at_us=change.now_us,
                file_name=name,
            )
            create_reconciliation(change.session, found)
            change.note(
                Action.RECONCILIATION_CREATE,
                found.reconciliation_id,
                after={"provider": file.provider, "fileName": name},
            )
        return found

    def _compare(self, organization_id: str, bill: Bill, tolerance_pusd: int) -> Reconciliation:
        first, last = bill.lines[0].day, bill.lines[-1].day
        period = period_of_dates(first, last, "UTC")
        with self._analytics.read() as reader:
            recorded = _recorded(reader, organization_id, bill.provider, period)
            hours = _hours(reader, organization_id, bill.provider, period)
        notes: list[str] = []
        names = dict(self._analytics.labels(organization_id, Dimension.PROJECT))
        billed = self._with_our_projects(organization_id, bill, names)
        if not {line.project for line in billed} & {project for _, project, _ in recorded}:
            if any(line.project for line in billed):
                notes.append(
                    "No project of the bill is one of ours, so projects are not told apart; name "
                    "or merge them alike to compare them."
                )
            billed = [replace(line, project="") for line in billed]
            recorded = _folded(recorded, lambda key: (key[0], "", key[2]))
        if not any(line.model for line in billed):
            notes.append("The bill does not tell models apart.")
            recorded = _folded(recorded, lambda key: (key[0], key[1], ""))
        lines: dict[_Key, _Both] = defaultdict(_Both)
        for key, totals in recorded.items():
            lines[key].recorded = totals
        for line in billed:
            both = lines[line.day, line.project, line.model]
            both.billed_pusd += line.cost_pusd
            both.is_billed = True
        missing = _missing_hours(hours)
        ratios = _ratios(lines, tolerance_pusd)
        return Reconciliation(
            reconciliation_id="",
            organization_id=organization_id,
            provider=bill.provider,
            file_name="",
            created_at_us=0,
            from_date=first,
            to_date=last,
            tolerance_pusd=tolerance_pusd,
            lines=[
                ReconciledLine(
                    day=key[0],
                    project=key[1],
                    project_name=names.get(key[1]) or bill.project_names.get(key[1]) or key[1],
                    model=key[2],
                    recorded_pusd=both.recorded.cost_pusd,
                    billed_pusd=both.billed_pusd,
                    requests=both.recorded.requests,
                    reasons=_reasons(key, both, missing, ratios, tolerance_pusd),
                )
                for key, both in sorted(lines.items())
            ],
            notes=notes,
        )

    def _with_our_projects(
        self, organization_id: str, bill: Bill, names: Mapping[str, str]
    ) -> list[BillLine]:
        """The lines of a bill under our ids of their projects, found by id or by name."""
        merges = self._analytics.merges(organization_id)
        by_name = {name.casefold(): project for project, name in names.items()}

        def ours(project: str) -> str:
            known = project if project in names else None
            for name in (bill.project_names.get(project, ""), project):
                known = known or by_name.get(name.casefold())
            return merges.target(Dimension.PROJECT, known or project)

        return [replace(line, project=ours(line.project)) for line in bill.lines]


def _recorded(
    reader: CubeReader, organization_id: str, provider: str, period: Period
) -> dict[_Key, Totals]:
    """What was recorded by day, project and canonical model."""
    query = RowQuery(
        organization_id=organization_id,
        period=period,
        measures=_MEASURES,
        interval=Interval.DAY,
        group_by=(Dimension.PROJECT, Dimension.MODEL),
        filters={Dimension.PROVIDER: (provider,)},
    )
    days = [step.start.date() for step in steps_of(period, Interval.DAY)]
    return {(days[row.step], row.keys[0], row.keys[1]): row.measures for row in reader.rows(query)}


def _hours(
    reader: CubeReader, organization_id: str, provider: str, period: Period
) -> dict[date, set[int]]:
    """The UTC hours of each day in which something was recorded."""
    busy = {}
    for day in [step.start.date() for step in steps_of(period, Interval.DAY)]:
        query = RowQuery(
            organization_id=organization_id,
            period=period_of_dates(day, day, "UTC"),
            measures=("requests",),
            interval=Interval.HOUR,
            filters={Dimension.PROVIDER: (provider,)},
        )
        busy[day] = {row.step for row in reader.rows(query)}
    return busy


def _folded(recorded: Mapping[_Key, Totals], key_of: Callable[[_Key], _Key]) -> dict[_Key, Totals]:
    folded: dict[_Key, Totals] = {}
    for key, totals in recorded.items():
        folded[key_of(key)] = folded.get(key_of(key), ZERO).plus(totals)
    return folded


def _missing_hours(busy: Mapping[date, set[int]]) -> dict[date, list[int]]:
    """Hours of a day without requests that have some on at least half of the other days."""
    counts = [sum(hour in hours for hours in busy.values()) for hour in range(24)]
    others = len(busy) - 1
    return {
        day: [
            hour
            for hour in range(24)
            if hour not in hours and others and 2 * counts[hour] >= others
        ]
        for day, hours in busy.items()
    }


def _ratios(lines: Mapping[_Key, _Both], tolerance_pusd: int) -> dict[str, dict[date, float]]:
    """Billed over recorded by model and day, where something was recorded whole."""
    sums: dict[tuple[str, date], list[int]] = {}
    for (day, _, model), both in lines.items():
        found = sums.setdefault((model, day), [0, 0, 0])
        found[0] += both.billed_pusd
        found[1] += both.recorded.cost_pusd
        found[2] += both.recorded.unpriced_requests + both.recorded.unknown_usage_requests
    ratios: dict[str, dict[date, float]] = defaultdict(dict)
    for (model, day), (billed, recorded, uncounted) in sums.items():
        if billed > tolerance_pusd and recorded > tolerance_pusd and not uncounted:
            ratios[model][day] = billed / recorded
    return ratios


def _reasons(
    key: _Key,
    both: _Both,
    missing: Mapping[date, Sequence[int]],
    ratios: Mapping[str, Mapping[date, float]],
    tolerance_pusd: int,
) -> tuple[str, ...]:
    """Why a line differs; nothing for one that does not."""
    day, _, model = key
    difference = both.billed_pusd - both.recorded.cost_pusd
    if abs(difference) <= tolerance_pusd:
        return ()
    totals = both.recorded
    if not both.is_billed:
        return (Reason.NOT_BILLED.value,)
    found = []
    if totals.unpriced_requests:
        found.append(f"{Reason.UNPRICED}: {_requests(totals.unpriced_requests)}")
    inexact = totals.estimated_requests + totals.unknown_usage_requests
    if inexact:
        found.append(f"{Reason.ESTIMATED}: {_requests(inexact)}")
    if difference > 0 and missing.get(day):
        found.append(f"{Reason.MISSING_HOURS}: {_spans(missing[day])} UTC")
    if (since := _one_price_since(day, ratios.get(model, {}))) is not None:
        factor = ratios[model][day]
        found.append(f"{Reason.PRICE}: the bill has {factor:.3f} times ours since {since}")
    if not found:
        found.append(Reason.UNEXPLAINED if totals.requests else Reason.NOT_RECORDED)
    return tuple(map(str, found))


def _one_price_since(day: date, ratios: Mapping[date, float]) -> date | None:
    """The first of the days around one on which the bill is the same multiple of ours.

    None where there is but one such day, or the multiple is one.
    """
    ratio = ratios.get(day)
    if ratio is None or abs(ratio - 1) <= SAME_RATIO:
        return None
    days = sorted(ratios)
    at = days.index(day)
    first = last = at
    while first > 0 and abs(ratios[days[first - 1]] / ratio - 1) <= SAME_RATIO:
        first -= 1
    while last + 1 < len(days) and abs(ratios[days[last + 1]] / ratio - 1) <= SAME_RATIO:
        last += 1
    return days[first] if last > first else None


def _requests(count: int) -> str:
    return f"{count:,} request{'' if count == 1 else 's'}"


def _spans(hours: Iterable[int]) -> str:
    """Hours as spans, `02-05, 17-18`: from the first to the end of the last."""
    spans: list[list[int]] = []
    for hour in hours:
        if spans and spans[-1][1] == hour:
            spans[-1][1] = hour + 1
        else:
            spans.append([hour, hour + 1])
    return ", ".join(f"{start:02d}-{end:02d}" for start, end in spans)
