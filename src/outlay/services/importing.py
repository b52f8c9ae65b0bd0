"""Files of other systems → reports, checked wholly before anything is written."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, TextIO

from outlay.domain.errors import Invalid
from outlay.domain.event import UsageSource
from outlay.domain.organization import operator_of
from outlay.domain.report import UsageReport
from outlay.domain.usage import TokenUsage
from outlay.kit.clock import from_us, in_us, to_us
from outlay.services.bundle import Administration
from outlay.services.recording import check_time
from outlay.wire.azure_llm_trace import TraceRow, parse_trace

BATCH_EVENTS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTarget:
    """Where imported usage goes."""

    organization_id: str
    organization_name: str
    project_id: str
    project_name: str
    created: tuple[str, ...]
    """What did not exist before: `organization`, `project`."""


def import_target(
    administration: Administration, organization_name: str | None, project_name: str
) -> ImportTarget:
    """The organization and project that an import goes to, created where there is none."""
    created = []
    organizations = administration.organizations
    known = organizations.all()
    organization = organizations.called(organization_name) if known else None
    if organization is None:
        organization = organizations.create(organization_name or "My organization")
        created.append("organization")
    project, is_new = administration.projects.ensure(operator_of(organization), project_name)
    if is_new:
        created.append("project")
    return ImportTarget(
        organization_id=organization.organization_id,
        organization_name=organization.name,
        project_id=project.project_id,
        project_name=project.name,
        created=tuple(created),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceImport:
    """What to make of a trace: it names neither model nor project."""

    path: Path
    mapping: str
    """Provider-tagged, `openai/gpt-4o`."""
    project_id: str
    app: str = ""
    shift_to: date | None = None
    """The date its first day is moved to; the time of day is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """What a checked trace holds."""

    rows: int
    first: datetime
    last: datetime
    input_tokens: int
    output_tokens: int
    digest: str
    """SHA-256 of the file: with the line number it makes the event id."""
    shift_us: int


def check_trace(job: TraceImport, now: datetime) -> TraceSummary:
    """Read the whole file once; Invalid, with nothing written, when any line is wrong."""
    provider, slash, name = job.mapping.partition("/")
    if not (provider and slash and name):
        raise Invalid(
            f"--model must name provider and model, such as openai/gpt-4o, not {job.mapping!r}",
            field="model",
        )
    count = input_tokens = output_tokens = 0
    first_us = last_us = 0
    for row in _rows(job.path):
        first_us = min(first_us, row.time_us) if count else row.time_us
        last_us = max(last_us, row.time_us)
        count += 1
        input_tokens += row.input_tokens
        output_tokens += row.output_tokens
    if not count:
        raise Invalid(f"{job.path}: the file has a header but no rows", code="empty-file")
    shift_us = _shift_us(first_us, job.shift_to)
    for edge_us in (first_us, last_us):
        check_time(edge_us + shift_us, to_us(now))
    return TraceSummary(
        rows=count,
        first=from_us(first_us + shift_us),
        last=from_us(last_us + shift_us),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        digest=_digest(job.path),
        shift_us=shift_us,
    )


def trace_batches(job: TraceImport, summary: TraceSummary) -> Iterator[list[UsageReport]]:
    """The reports of a checked trace in batches.

    An event's id comes from the file's content, the line and the date it is moved to, so the
    same file imported again is known, line by line.
    """
    moved_to = f"@{summary.first:%Y-%m-%d}"
    provider = job.mapping.partition("/")[0]
    batch = []
    for row in _rows(job.path):
        batch.append(
            UsageReport(
                event_id=f"azure-llm-trace:{summary.digest[:32]}{moved_to}:{row.line}",
                event_time_us=row.time_us + summary.shift_us,
                provider=provider,
                mapping=job.mapping,
                usage=TokenUsage(row.input_tokens, row.output_tokens),
                project_id=job.project_id,
                app=job.app,
                usage_source=UsageSource.REPORTED,
                source="import:azure-llm-trace",
            )
        )
        if len(batch) == BATCH_EVENTS:
            yield batch
            batch = []
    if batch:
        yield batch


def _rows(path: Path) -> Iterator[TraceRow]:
    with _open(path) as lines:
        try:
            yield from parse_trace(lines)
        except UnicodeDecodeError as error:
            raise Invalid(f"{path}: the file is not UTF-8 text", code="malformed-file") from error
        except Invalid as error:
            raise Invalid(f"{path}: {error.message}", code=error.code) from error


def _open(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}", code="unreadable-file") from error


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _shift_us(first_us: int, shift_to: date | None) -> int:
    """Whole days between the first event's UTC date and the date it is moved to."""
    if shift_to is None:
        return 0
    first_date = from_us(first_us).date()
    start = datetime.combine(first_date, datetime.min.time(), UTC)
    target = datetime.combine(shift_to, datetime.min.time(), UTC)
    return in_us(target - start)
