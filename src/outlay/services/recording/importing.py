"""Importing files of other systems, in batches: validated and resumable."""

import hashlib
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

import msgspec

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.ids import ProjectId
from outlay.domain.outcome import Outcome
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import from_us, in_us, to_us
from outlay.kit.progress import Progress
from outlay.services.recording.recorder import check_time
from outlay.services.recording.repeated_rows import ReadRow, last_of_each
from outlay.storage.files.rows import read_rows
from outlay.wire.files.mapping import FileMapping, detect_mapping, find_mapping
from outlay.wire.files.reports import Assumptions, ReportReader

BATCH_EVENTS: Final = 1_000
WAITING: Final = 2
"""Batches being recorded while the next one is read."""
CHECKED_ROWS: Final = 100
"""Rows that are checked before anything is recorded."""
_INDEX: Final = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileImport:
    """A file and how to read it."""

    path: Path
    mapping: FileMapping
    project_id: ProjectId = ProjectId("")  # noqa: RUF009 - text, which does not change
    """The defaults of rows without a project, model or app."""
    model: str = ""
    app: str = ""
    zone: tzinfo = UTC
    """For times without an offset."""
    time_us: int | None = None
    """For rows without a time."""
    shift_to: date | None = None
    """The UTC date to which its first day is shifted; the time of day is kept."""
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    """USD for one unit of a currency, by its code."""
    is_bill: bool = False
    """Whether amounts may be credits."""


@dataclass(slots=True)
class ImportTotals:
    """Totals of a file."""

    rows: int = 0
    skipped: int = 0
    """Rows that are not requests."""
    rejected: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reported_cost_pusd: int = 0
    first_us: int | None = None
    last_us: int | None = None
    by_model: Counter[str] = field(default_factory=Counter)
    unnamed: Counter[str] = field(default_factory=Counter)
    """Unmapped columns of counts, with the number of rows that have a value."""
    superseded: int = 0
    """Rows superseded by a later row of the same answer."""

    def note(self, row: ReadRow) -> None:
        """Count a row."""
        self.rows += 1
        self.superseded += row.is_superseded
        if not row.fault and not row.reports and not row.is_superseded:
            self.skipped += 1
        self.unnamed.update(row.unnamed)
        for report in row.reports:
            self.add(report)

    def add(self, report: UsageReport) -> None:
        """Count a report."""
        self.requests += 1
        if report.usage is not None:
            self.input_tokens += report.usage.input_tokens
            self.output_tokens += report.usage.output_tokens
        self.reported_cost_pusd += report.reported_cost_pusd or 0
        time_us = report.event_time_us
        self.first_us = time_us if self.first_us is None else min(self.first_us, time_us)
        self.last_us = time_us if self.last_us is None else max(self.last_us, time_us)
        self.by_model[report.mapping] += 1


def mapping_for(path: Path, name: str | None) -> FileMapping:
    """The mapping with a name, or the one that matches the file's columns."""
    if name is not None:
        return find_mapping(name)
    columns: set[str] = set()
    for records in ((), ("data", "results"), ("data",)):
        for row in read_rows(path, records):
            columns |= (row.values or {}).keys()
            break
    found = detect_mapping(frozenset(columns))
    if found is None:
        shown = ", ".join(sorted(columns)[:12]) or "of an empty file"
        raise Invalid(
            f"{path} matches no known format; its columns are {shown}. Name the format with "
            "`--format` or the columns with `--mapping`.",
            code=ErrorCode.UNKNOWN_FORMAT,
        )
    return found


def read_import(job: FileImport, now: datetime) -> Iterator[ReadRow]:
    """Every row of a file with its reports, or with the reason why it has none."""
    return last_of_each(_read_rows(job, now))


def _read_rows(job: FileImport, now: datetime) -> Iterator[ReadRow]:
    reader, latest_us = _reader(job), to_us(now)
    for row in read_rows(job.path, job.mapping.records):
        reports: Sequence[UsageReport] = ()
        fault = row.fault
        unnamed: Sequence[str] = ()
        if row.values is not None:
            try:
                reports = reader.reports(row.values)
                for report in reports[:1]:
                    check_time(report.event_time_us, latest_us)
                unnamed = reader.unnamed(row.values) if reports else ()
            except Invalid as error:
                reports, fault = (), error.message
        yield ReadRow(
            row.number,
            tuple(reports),
            fault,
            row.text if row.values is None else row.values,
            row.done,
            row.total,
            unnamed,
        )


def check_start(job: FileImport, now: datetime) -> None:
    """Raise Invalid if a file has no rows, or none of the first rows is valid."""
    first = list(islice(read_import(job, now), CHECKED_ROWS))
    if not first:
        raise Invalid(f"{job.path} has no rows.", code=ErrorCode.EMPTY_FILE)
    if all(row.fault for row in first):
        raise Invalid(
            f"{job.path} was not imported, as none of the first {len(first)} rows is valid. Row "
            f"{first[0].number}: {first[0].fault}",
            code=ErrorCode.MALFORMED_FILE,
        )


def _reader(job: FileImport) -> ReportReader:
    shift_us, moved = 0, ""
    if job.shift_to is not None:
        shift_us, moved = _shift_us(job), f"@{job.shift_to:%Y-%m-%d}"
    return ReportReader(
        job.mapping,
        Assumptions(
            project_id=job.project_id,
            model=job.model,
            app=job.app,
            zone=job.zone,
            time_us=job.time_us,
            shift_us=shift_us,
            id_suffix=moved,
            rates=job.rates,
            is_bill=job.is_bill,
        ),
    )


def _shift_us(job: FileImport) -> int:
    """Whole days between the UTC date of the file's first event and the target date."""
    reader = ReportReader(job.mapping, Assumptions(zone=job.zone, time_us=job.time_us))
    first_us = None
    for row in read_rows(job.path, job.mapping.records):
        if row.values is None:
            continue
        try:
            time_us = reader.time_us(row.values)
        except Invalid:
            continue
        first_us = time_us if first_us is None else min(first_us, time_us)
    if first_us is None or job.shift_to is None:
        return 0
    start = datetime.combine(from_us(first_us).date(), datetime.min.time(), UTC)
    target = datetime.combine(job.shift_to, datetime.min.time(), UTC)
    return in_us(target - start)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror}.", code=ErrorCode.UNREADABLE_FILE
        ) from error


class ImportState(msgspec.Struct):
    """The progress of an import, stored in a file, so that it can be resumed."""

    rows: int = 0
    """Number of rows up to the last one whose events are on disk."""
    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes."""
        self.accepted += outcomes.count(Outcome.ACCEPTED)
        self.duplicate += outcomes.count(Outcome.DUPLICATE)
        self.conflict += outcomes.count(Outcome.CONFLICT)


class Rejects(Protocol):
    """Receives rejected rows."""

    def write(self, row: ReadRow, fault: str) -> None:
        """Store a row with the reason."""
        ...


_Recorded = tuple[list[Outcome], list[tuple[ReadRow, str]]]
"""The outcomes of a batch, and its refused rows with the reasons."""

Record = Callable[[Sequence[UsageReport]], list[Outcome]]
"""Records reports; returns once they are on disk."""


class FileImporter:
    """Records a file in batches, each while the next one is read."""

    def __init__(
        self,
        record: Record,
        rejects: Rejects,
        state: ImportState,
        save: Callable[[ImportState], None],
    ) -> None:
        """`save` is called with the state after each recorded batch."""
        self._record = record
        self._rejects = rejects
        self.state = state
        self._save = save
        self.totals = ImportTotals()
        self._waiting: deque[tuple[Future[_Recorded], list[ReadRow]]] = deque()

    def run(self, rows: Iterator[ReadRow]) -> Iterator[Progress]:
        """Record all rows that are not on disk yet."""
        batch: list[ReadRow] = []
        events = 0
        start = self.state.rows
        with ThreadPoolExecutor(1, thread_name_prefix="import") as senders, _given_up(senders):
            for row in islice(rows, start, None):
                self.totals.note(row)
                batch.append(row)
                events += len(row.reports)
                if events >= BATCH_EVENTS or len(batch) >= 10 * BATCH_EVENTS:
                    self._send(senders, batch)
                    yield Progress("file", row.done, row.total)
                    batch, events = [], 0
            self._send(senders, batch)
            while self._waiting:
                self._settle()

    def _send(self, senders: ThreadPoolExecutor, batch: list[ReadRow]) -> None:
        if batch:
            self._waiting.append((senders.submit(self._record_rows, batch), batch))
        while len(self._waiting) > WAITING:
            self._settle()

    def _settle(self) -> None:
        """Wait for the oldest batch and save the state."""
        future, batch = self._waiting.popleft()
        outcomes, refused = future.result()
        for row, fault in refused:
            self._rejects.write(row, fault)
        self.state.rejected += len(refused)
        self.state.note(outcomes)
        self.state.rows += len(batch)
        self._save(self.state)

    def _record_rows(self, batch: list[ReadRow]) -> _Recorded:
        """Record the valid rows of a batch; returns the others with the reasons."""
        refused = [(row, row.fault) for row in batch if row.fault]
        rows = [row for row in batch if row.reports]
        while rows:
            reports = [report for row in rows for report in row.reports]
            try:
                return self._record(reports), refused
            except Invalid as error:
                at = _INDEX.search(error.field or "")
                if at is None:
                    raise
                wrong = _row_of(rows, int(at[1]))
                refused.append((wrong, error.message))
                rows.remove(wrong)
        return [], refused


@contextmanager
def _given_up(senders: ThreadPoolExecutor) -> Iterator[None]:
    """Cancel queued batches after one has failed."""
    try:
        yield
    except BaseException:
        senders.shutdown(cancel_futures=True)
        raise


def _row_of(rows: Sequence[ReadRow], index: int) -> ReadRow:
    """The row of a report's index."""
    for row in rows:
        if index < len(row.reports):
            return row
        index -= len(row.reports)
    raise AssertionError("an index is of one of the reports")
