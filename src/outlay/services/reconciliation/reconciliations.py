"""Reconciliation of provider bills with the recorded cost per day, project and model."""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.answers import ZERO, Totals
from outlay.domain.audit import Action
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.ids import OrganizationId
from outlay.domain.period import Interval, parse_zone, period_of_dates, steps_of
from outlay.domain.policy import Permission, permit_one_of
from outlay.domain.provider import find_provider
from outlay.domain.query import RowQuery
from outlay.domain.questions import Rows
from outlay.domain.reconciliation import (
    BillLine,
    Reason,
    ReasonPart,
    ReconciledLine,
    Reconciliation,
)
from outlay.kit.clock import from_us
from outlay.kit.ids import new_id
from outlay.services.analytics.analytics import Analytics
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.prices import PriceBooks
from outlay.services.directory.text_rules import check_owned
from outlay.services.reconciliation.bill_reasons import BillReasons, BothSides, Key
from outlay.services.reconciliation.bills import Bill, BillFile, read_bill
from outlay.storage.cube.store import CubeReader
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.reconciliations import (
    create_reconciliation,
    find_reconciliation,
    list_reconciliations,
)
from outlay.wire.files.mapping import parse_mapping

SHOWN_DAYS: Final = 5
_MEASURES: Final = (
    "requests",
    "cost_pusd",
    "meter_cost_pusd",
    "unpriced_requests",
    "partly_priced_requests",
    "estimated_requests",
    "unknown_usage_requests",
)


class Reconciling:
    """Compares bills of an actor's organization and stores the results."""

    def __init__(
        self,
        directory: Directory,
        audited: AuditedChanges,
        analytics: Analytics,
        prices: PriceBooks,
    ) -> None:
        self._directory = directory
        self._audited = audited
        self._analytics = analytics
        self._prices = prices

    def list_for(self, actor: Actor) -> list[Reconciliation]:
        """Stored reconciliations, newest first."""
        permit_one_of(actor, Permission.RECONCILIATIONS_READ, Permission.RECONCILIATIONS_WRITE)
        with self._directory.read() as session:
            return list_reconciliations(session, actor.organization_id)

    def find(self, actor: Actor, reconciliation_id: str) -> Reconciliation:
        """One of them; raises NotFound if there is none."""
        permit_one_of(actor, Permission.RECONCILIATIONS_READ, Permission.RECONCILIATIONS_WRITE)
        with self._directory.read() as session:
            found = find_reconciliation(session, reconciliation_id)
        return check_owned(found, actor.organization_id, "reconciliation")

    def reconcile(self, actor: Actor, file: BillFile) -> Reconciliation:
        """Compare a cost file with the usage recorded on its days, and store the result."""
        name = Path(file.file_name).name
        if not name.isprintable():
            raise Invalid(
                "The file name contains characters that are not valid text.", field="fileName"
            )
        mapping = parse_mapping(file.mapping.encode(), "mapping") if file.mapping else None
        now = from_us(self._analytics.now_us())
        canonical = self._prices.book_for(actor.organization_id).canonical_model
        with tempfile.TemporaryDirectory() as folder:
            # The file format is detected by name and first bytes.
            path = Path(folder) / f"costs{''.join(Path(name).suffixes[-1:])}"
            path.write_text(file.content, encoding="utf-8", errors="replace", newline="")
            try:
                bill = read_bill(path, file, mapping, canonical, now)
            except Invalid as error:
                # The message must show the user's file name, not the temporary path.
                message = error.message.replace(str(path), name)
                raise Invalid(message, code=error.code, field=error.field) from None
        found = self._compare(actor.organization_id, bill, file.tolerance_pusd)
        notes = list(found.notes)
        again = next((one for one in self.list_for(actor) if one.digest == file.digest), None)
        if again is not None:
            made = from_us(again.created_at_us)
            notes.append(f"The same file was compared on {made:%Y-%m-%d at %H:%M} UTC.")
        with self._audited.change(actor, Permission.RECONCILIATIONS_WRITE) as change:
            found = replace(
                found,
                reconciliation_id=new_id("rec"),
                created_at_us=change.now_us,
                file_name=name,
                digest=file.digest,
                notes=notes,
            )
            create_reconciliation(change.session, found)
            change.note(
                Action.RECONCILIATION_CREATE,
                found.reconciliation_id,
                after={"provider": file.provider, "fileName": name},
            )
        return found

    def _compare(
        self, organization_id: OrganizationId, bill: Bill, tolerance_pusd: int
    ) -> Reconciliation:
        first, last = bill.lines[0].day, bill.lines[-1].day
        query = RowQuery(
            organization_id=organization_id,
            merges=self._analytics.merges(organization_id),
            period=period_of_dates(first, last, bill.timezone),
            measures=("requests",),
        )
        notes = list(bill.notes)
        with self._analytics.read() as reader:
            providers = _spellings(reader, query, bill.provider)
            query = replace(query, filters={Dimension.PROVIDER: providers})
            recorded = _recorded(reader, query)
            hours = _hours(reader, query)
            notes += _left_out(reader, query, bill, from_us(self._analytics.now_us()))
        names = dict(self._analytics.labels(organization_id, Dimension.PROJECT))
        billed = self._with_our_projects(organization_id, bill, names)
        if not {line.project for line in billed} & {project for _, project, _ in recorded}:
            if any(line.project for line in billed):
                notes.append(
                    "No project of the bill is known here, so projects are not distinguished; name "
                    "or merge them alike to compare them."
                )
            billed = [replace(line, project="") for line in billed]
            recorded = _folded(recorded, lambda key: (key[0], "", key[2]))
        if not any(line.model for line in billed):
            notes.append("The bill does not distinguish models.")
            recorded = _folded(recorded, lambda key: (key[0], key[1], ""))
        lines = _beside(billed, recorded)
        book = self._prices.book_for(organization_id)
        reasons = BillReasons(
            lines,
            hours,
            is_model=lambda model: book.has_list_price(bill.provider, model),
            tolerance_pusd=tolerance_pusd,
            timezone=bill.timezone,
        )
        return Reconciliation(
            reconciliation_id="",
            organization_id=organization_id,
            provider=bill.provider,
            file_name="",
            created_at_us=0,
            from_date=first,
            to_date=last,
            tolerance_pusd=tolerance_pusd,
            timezone=bill.timezone,
            lines=[
                _line(
                    key,
                    both,
                    reasons.parts_for(key),
                    names.get(key[1]) or bill.project_names.get(key[1]),
                )
                for key, both in sorted(lines.items())
            ],
            notes=notes,
        )

    def _with_our_projects(
        self, organization_id: OrganizationId, bill: Bill, names: Mapping[str, str]
    ) -> list[BillLine]:
        """The lines of a bill with our project ids, matched by id or name."""
        merges = self._analytics.merges(organization_id)
        by_name = {name.casefold(): project for project, name in names.items()}

        def ours(project: str) -> str:
            known = project if project in names else None
            for name in (bill.project_names.get(project, ""), project):
                known = known or by_name.get(name.casefold())
            return merges.target(Dimension.PROJECT, known or project)

        return [replace(line, project=ours(line.project)) for line in bill.lines]


def _line(
    key: Key, both: BothSides, parts: Sequence[ReasonPart], project_name: str | None
) -> ReconciledLine:
    day, project, model = key
    return ReconciledLine(
        day=day,
        project=project,
        project_name=project_name or project,
        model=model,
        recorded_pusd=both.recorded.cost_pusd,
        billed_pusd=both.billed_pusd,
        requests=both.recorded.requests,
        reasons=[part.text for part in parts if part.reason is not Reason.ROUNDING],
        parts=parts,
    )


def _beside(billed: Sequence[BillLine], recorded: Mapping[Key, Totals]) -> dict[Key, BothSides]:
    """Join the lines of the bill with the recorded usage."""
    lines: dict[Key, BothSides] = defaultdict(BothSides)
    for key, totals in recorded.items():
        lines[key].recorded = totals
    for line in billed:
        both = lines[line.day, line.project, line.model]
        both.billed_pusd += line.cost_pusd
        both.credit_pusd += line.credit_pusd
        both.is_billed = True
    return dict(lines)


def _spellings(reader: CubeReader, query: RowQuery, provider: str) -> tuple[str, ...]:
    """The spellings of a provider that senders have used."""
    by_provider = replace(query, group_by=(Dimension.PROVIDER,))
    found = {row.keys[0] for row in reader.ask(Rows(by_provider))}
    return tuple({provider, *(name for name in found if find_provider(name) == provider)})


def _recorded(reader: CubeReader, query: RowQuery) -> dict[Key, Totals]:
    """Recorded usage by day, project and canonical model."""
    daily = replace(
        query,
        measures=_MEASURES,
        interval=Interval.DAY,
        group_by=(Dimension.PROJECT, Dimension.MODEL),
    )
    days = [step.start.date() for step in steps_of(query.period, Interval.DAY)]
    return {
        (days[row.step], row.keys[0], row.keys[1]): row.measures for row in reader.ask(Rows(daily))
    }


def _hours(reader: CubeReader, query: RowQuery) -> dict[date, dict[str, dict[int, int]]]:
    """Requests by day, model and hour of the day."""
    found: dict[date, dict[str, dict[int, int]]] = {}
    for day in [step.start.date() for step in steps_of(query.period, Interval.DAY)]:
        hourly = replace(
            query,
            period=period_of_dates(day, day, query.period.timezone),
            interval=Interval.HOUR,
            group_by=(Dimension.MODEL,),
        )
        models: dict[str, dict[int, int]] = defaultdict(dict)
        for row in reader.ask(Rows(hourly)):
            models[row.keys[0]][row.step] = row.measures.requests
        found[day] = dict(models)
    return found


def _left_out(reader: CubeReader, query: RowQuery, bill: Bill, now: datetime) -> list[str]:
    """Remarks on days with recorded usage but no bill, up to the end of its month."""
    first, last = bill.lines[0].day, bill.lines[-1].day
    end = last
    if first.day == 1:
        end = (last.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    end = max(last, min(end, now.astimezone(parse_zone(bill.timezone)).date() - timedelta(days=1)))
    period = period_of_dates(first, end, bill.timezone)
    daily = replace(query, period=period, interval=Interval.DAY)
    days = [step.start.date() for step in steps_of(period, Interval.DAY)]
    billed = {line.day for line in bill.lines}
    left_out = sorted({days[row.step] for row in reader.ask(Rows(daily))} - billed)
    if not left_out:
        return []
    shown = ", ".join(map(str, left_out[:SHOWN_DAYS]))
    more = f" and {len(left_out) - SHOWN_DAYS} more" if len(left_out) > SHOWN_DAYS else ""
    return [f"The bill has no lines for days with recorded requests: {shown}{more}."]


def _folded(recorded: Mapping[Key, Totals], key_of: Callable[[Key], Key]) -> dict[Key, Totals]:
    folded: dict[Key, Totals] = {}
    for key, totals in recorded.items():
        folded[key_of(key)] = folded.get(key_of(key), ZERO).plus(totals)
    return folded
