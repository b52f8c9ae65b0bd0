"""`outlay import`."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from outlay.cli.console import DataOption, fail, out, say, show_progress
from outlay.cli.installation import Installation, use_installation
from outlay.domain.errors import Invalid, Unavailable
from outlay.domain.outcome import Outcome
from outlay.kit.clock import SystemClock
from outlay.services.importing import TraceImport, TraceSummary, check_trace, trace_batches
from outlay.services.progress import Progress
from outlay.settings import read_settings


class Format(StrEnum):
    """File formats that can be imported."""

    AZURE_LLM_TRACE = "azure-llm-trace"


def import_file(
    file: Annotated[Path, typer.Argument(help="File to import.")],
    file_format: Annotated[Format, typer.Option("--format", help="What the file is.")],
    model: Annotated[str, typer.Option(help="Model of all requests, such as openai/gpt-4o.")],
    project: Annotated[str, typer.Option(help="Project (name or id); created if there is none.")],
    organization: Annotated[
        str | None, typer.Option(help="Organization, where there are several.")
    ] = None,
    app: Annotated[str, typer.Option(help="Calling application of all requests.")] = "",
    shift_to: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Move the first day to this date, keeping the time of day (UTC).",
        ),
    ] = None,
    data: DataOption = None,
) -> None:
    """Import usage from a file; the same file again adds nothing.

    The whole file is checked first: a malformed line means that nothing is written.
    """
    settings = read_settings(data=data)
    job = TraceImport(
        path=file, mapping=model, project_id="", app=app, shift_to=_parse_date(shift_to)
    )
    summary = check_trace(job, SystemClock().now())
    with use_installation(settings) as installation:
        target = installation.import_target(organization, project)
        for what in target.created:
            name = target.project_name if what == "project" else target.organization_name
            say(f"Created the {what} {name!r}.")
        targeted = TraceImport(
            path=file,
            mapping=model,
            project_id=target.project_id,
            app=app,
            shift_to=job.shift_to,
        )
        counts = _send(installation, target.organization_id, targeted, summary)
    _report(counts, summary, target.project_name)


def _send(
    installation: Installation, organization_id: str, job: TraceImport, summary: TraceSummary
) -> Counter[Outcome]:
    counts: Counter[Outcome] = Counter()

    def steps() -> Iterator[Progress]:
        for batch in trace_batches(job, summary):
            counts.update(installation.record(organization_id, batch))
            yield Progress("events", counts.total(), summary.rows)

    try:
        for _ in show_progress(steps()):
            pass
    except Unavailable as error:
        raise Unavailable(
            f"{error.message}: {counts.total():,} of {summary.rows:,} events are stored; "
            "run the same command again, nothing is counted twice",
            code=error.code,
        ) from error
    return counts


def _report(counts: Counter[Outcome], summary: TraceSummary, project: str) -> None:
    out.print(
        f"{counts[Outcome.ACCEPTED]:,} requests imported into {project}, "
        f"{counts[Outcome.DUPLICATE]:,} known already ({summary.input_tokens:,} input and "
        f"{summary.output_tokens:,} output tokens, {summary.first:%Y-%m-%d %H:%M} to "
        f"{summary.last:%Y-%m-%d %H:%M} UTC)."
    )
    if counts[Outcome.CONFLICT]:
        fail(
            f"{counts[Outcome.CONFLICT]:,} requests were imported before from the same file with "
            "another model, project or app; they keep what they have"
        )
        raise typer.Exit(1)


def _parse_date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise Invalid(f"--shift-to must be a date such as 2026-11-20, not {text!r}") from error
