"""`outlay import`."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Annotated

import msgspec
import typer
from rich.table import Table

from outlay.cli.amounts import RateOption, parse_rates
from outlay.cli.console import DataOption, fail, out, say, show_progress
from outlay.cli.installation import use_installation
from outlay.domain.errors import Invalid, Unavailable
from outlay.domain.money import render_usd
from outlay.domain.outcome import Outcome
from outlay.domain.period import parse_zone
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import SystemClock, from_us
from outlay.kit.durable import write_file
from outlay.services.import_target import ImportTarget
from outlay.services.recording.importing import (
    FileImport,
    FileImporter,
    ImportState,
    ImportTotals,
    check_start,
    file_digest,
    mapping_for,
    read_import,
)
from outlay.services.recording.repeated_rows import ReadRow
from outlay.settings import Settings, read_settings
from outlay.wire.files.mapping import format_names, parse_mapping
from outlay.wire.values import time_us_of

PREVIEW_ROWS = 10
SHOWN_FAULTS = 5
SHOWN_MODELS = 10
SHOWN_COLUMNS = 12

FORMATS = ", ".join(format_names())


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL, JSON or Parquet; also gzip.")],
    file_format: Annotated[
        str | None,
        typer.Option("--format", help=f"One of {FORMATS}; default: detected by its columns."),
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="TOML file with the column mapping.")] = None,
    model: Annotated[
        str, typer.Option(help="Model of rows without one, such as openai/gpt-4o.")
    ] = "",
    project: Annotated[
        str,
        typer.Option(help="Project (name or id) of rows without one; created if necessary."),
    ] = "",
    organization: Annotated[
        str | None, typer.Option(help="Organization, if there are several.")
    ] = None,
    app: Annotated[str, typer.Option(help="Calling application of rows without one.")] = "",
    timezone: Annotated[str, typer.Option(help="Zone of times without an offset.")] = "UTC",
    time: Annotated[
        str | None,
        typer.Option(help="Time of rows without one, such as 2026-11-20T09:00:00Z."),
    ] = None,
    rate: RateOption = None,
    shift_to: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Shift the first day to this date, keeping the time of day (UTC).",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read everything, show the result, store nothing.")
    ] = False,
    rejected: Annotated[
        Path | None,
        typer.Option(help="File for rejected rows; default: the input with .rejected.jsonl."),
    ] = None,
    data: DataOption = None,
) -> None:
    """Import usage from a file; requests that are already recorded are not counted again.

    Invalid rows go to a separate file with the reason, the others are imported. An interrupted
    import is resumed by the same command.
    """
    settings = read_settings(data=data)
    chosen = (
        parse_mapping(_read(mapping), str(mapping)) if mapping else mapping_for(file, file_format)
    )
    if model and "/" not in model and "provider" not in {*chosen.fields, *chosen.defaults}:
        raise Invalid(
            f"`--model` must name the provider and the model, such as openai/gpt-4o, not {model!r}."
        )
    job = FileImport(
        path=file,
        mapping=chosen,
        model=model,
        app=app,
        zone=UTC if timezone == "UTC" else parse_zone(timezone),
        time_us=_parse_time(time),
        rates=parse_rates(rate or ()),
        shift_to=_parse_date(shift_to),
    )
    if rejected is not None and rejected.resolve() in {
        path.resolve() for path in (file, mapping) if path is not None
    }:
        raise Invalid("`--rejected` must name a file that is not among the input files.")
    check_start(job, SystemClock().now())
    if dry_run:
        _preview(job, project)
    else:
        _import(settings, job, organization, project, rejected)


def _import(
    settings: Settings,
    job: FileImport,
    organization: str | None,
    project: str,
    rejected: Path | None,
) -> None:
    path = rejected or job.path.with_name(job.path.name + ".rejected.jsonl")
    with use_installation(settings) as installation, ExitStack() as closing:
        target = installation.import_target(organization, project)
        for what in target.created:
            name = target.project_name if what == "project" else target.organization_name
            say(f"Created the {what} {name!r}.")
        job = replace(job, project_id=target.project_id)
        memory = Memory(settings, job, target)
        state = memory.read()
        if state.rows:
            say(f"Resuming the interrupted import after {state.rows:,} rows.")
        rejects = closing.enter_context(RejectFile(path, is_continued=bool(state.rows)))

        def record(reports: Sequence[UsageReport]) -> list[Outcome]:
            return installation.record(target.organization_id, reports)

        importer = FileImporter(record, rejects, state, memory.write)
        rows = read_import(job, SystemClock().now())
        try:
            for _ in show_progress(importer.run(rows)):
                pass
        except Unavailable as error:
            raise Unavailable(
                f"{error.message} {importer.state.accepted:,} requests are stored. Run the same "
                "command again to continue; no request is counted twice.",
                code=error.code,
            ) from error
        memory.forget()
    _report(importer, job, target, path)


def _report(importer: FileImporter, job: FileImport, target: ImportTarget, path: Path) -> None:
    state, totals = importer.state, importer.totals
    into = target.project_name or target.organization_name
    out.print(
        f"{state.accepted:,} requests imported into {into}, {state.duplicate:,} already recorded"
        f" ({job.mapping.title or job.mapping.name}; {_described(totals)})."
    )
    _report_rows(totals)
    if state.conflict:
        fail(
            f"{state.conflict:,} requests were already recorded with different content, project "
            "or model, and were not changed. Import a growing file only once it is complete; "
            "give different requests different ids."
        )
    if state.rejected:
        fail(f"{state.rejected:,} rows were rejected. {path} lists them with the reasons.")
    if state.conflict or state.rejected:
        raise typer.Exit(1)


def _report_rows(totals: ImportTotals) -> None:
    """Report rows that were not recorded unchanged, and columns that were not read."""
    if totals.skipped:
        out.print(f"{totals.skipped:,} rows are not requests and were skipped.")
    if totals.superseded:
        out.print(f"{totals.superseded:,} rows were skipped, because a later row is more complete.")
    if totals.unnamed:
        shown = ", ".join(name for name, _ in totals.unnamed.most_common(SHOWN_COLUMNS))
        out.print(f"Unmapped columns with numbers: {shown}.")


def _described(totals: ImportTotals) -> str:
    parts = [
        f"{totals.input_tokens:,} input and {totals.output_tokens:,} output tokens",
        f"{render_usd(totals.reported_cost_pusd)} USD reported"
        if totals.reported_cost_pusd
        else "",
        f"{from_us(totals.first_us):%Y-%m-%d %H:%M} to {from_us(totals.last_us):%Y-%m-%d %H:%M} UTC"
        if totals.first_us is not None and totals.last_us is not None
        else "",
    ]
    return ", ".join(part for part in parts if part)


# Dry run


def _preview(job: FileImport, project: str) -> None:
    """Show how the first rows would be recorded, and the totals."""
    totals = ImportTotals()
    table = Table(
        "row",
        "time (UTC)",
        "mapping",
        "project",
        "user",
        "input",
        "output",
        "USD",
        "status",
        box=None,
    )
    faults: list[ReadRow] = []
    rejected = shown = 0
    for row in read_import(job, SystemClock().now()):
        totals.note(row)
        rejected += bool(row.fault)
        if row.fault and rejected <= SHOWN_FAULTS:
            faults.append(row)
        for report in row.reports[: PREVIEW_ROWS - shown]:
            shown += 1
            table.add_row(str(row.number), *_cells(report, project))
    out.print(table)
    out.print(
        f"\n{job.mapping.title or job.mapping.name}: {totals.rows:,} rows, "
        f"{totals.requests:,} requests, {totals.skipped + totals.superseded:,} skipped, "
        f"{rejected:,} to be rejected; {_described(totals)}."
    )
    _report_rows(totals)
    for mapping, count in totals.by_model.most_common(SHOWN_MODELS):
        out.print(f"  {mapping}: {count:,}")
    if len(totals.by_model) > SHOWN_MODELS:
        out.print(f"  and {len(totals.by_model) - SHOWN_MODELS:,} more")
    for row in faults:
        fail(f"Row {row.number}: {row.fault}")
    out.print("Nothing was stored.")
    if rejected:
        raise typer.Exit(1)


def _cells(report: UsageReport, project: str) -> Iterator[str]:
    usage, cost = report.usage, report.reported_cost_pusd
    yield f"{from_us(report.event_time_us):%Y-%m-%d %H:%M:%S}"
    yield report.mapping
    yield report.names.get(report.project_id) or report.project_id or project
    yield report.names.get(report.user_id) or report.user_id or report.end_user
    yield "?" if usage is None else f"{usage.input_tokens:,}"
    yield "?" if usage is None else f"{usage.output_tokens:,}"
    yield "" if cost is None else render_usd(cost)
    yield report.status.value


# State of an import


class RejectFile:
    """A file of rejected rows, one JSON object per line; only created if there are any."""

    def __init__(self, path: Path, *, is_continued: bool) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        if not is_continued:
            path.unlink(missing_ok=True)

    def __enter__(self) -> "RejectFile":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, row: ReadRow, fault: str) -> None:
        """Store a row with the reason."""
        if self._file is None:
            try:
                self._file = self._path.open("ab")
            except OSError as error:
                raise Invalid(
                    f"{self._path} cannot be written: {error.strerror}. Choose another path with "
                    "`--rejected`."
                ) from error
        line = {"row": row.number, "reason": fault, "content": row.content}
        self._file.write(msgspec.json.encode(line, enc_hook=str) + b"\n")
        self._file.flush()


class Memory:
    """The progress of an import, in the data directory, from which the same command resumes."""

    def __init__(self, settings: Settings, job: FileImport, target: ImportTarget) -> None:
        what = msgspec.json.encode(
            [
                file_digest(job.path),
                job.mapping,
                [job.project_id, job.model, job.app, str(job.zone), str(job.shift_to)],
                [job.time_us, sorted((code, str(rate)) for code, rate in job.rates.items())],
                target.organization_id,
            ]
        )
        key = hashlib.sha256(what).hexdigest()[:32]
        self._path = settings.data / "imports" / f"{key}.json"

    def read(self) -> ImportState:
        """The stored state; empty if there is none."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=ImportState)
        except (OSError, msgspec.MsgspecError):
            return ImportState()

    def write(self, state: ImportState) -> None:
        """Replace the stored state atomically."""
        self._path.parent.mkdir(exist_ok=True)
        write_file(self._path, msgspec.json.encode(state))

    def forget(self) -> None:
        """Delete the state of a finished import."""
        self._path.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error


def _parse_time(text: str | None) -> int | None:
    if text is None:
        return None
    time_us = time_us_of(text)
    if time_us is None:
        raise Invalid(f"`--time` must be a time such as 2026-11-20T09:00:00Z, not {text!r}.")
    return time_us


def _parse_date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise Invalid(f"`--shift-to` must be a date such as 2026-11-20, not {text!r}.") from error
