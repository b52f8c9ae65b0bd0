"""`outlay audit`: reading and verifying the audit trail."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.bootstrap.administration import open_administration
from outlay.cli.administration import OrganizationOption, administration
from outlay.cli.console import DataOption, fail, out
from outlay.domain.audit import AuditFilter
from outlay.kit.clock import from_us
from outlay.services.directory.audit_log import parse_expected
from outlay.settings import read_settings

audit = typer.Typer(help="The audit trail.", no_args_is_help=True)


@audit.command("verify")
def verify(
    public_key: Annotated[
        str | None,
        typer.Option(help="Public key of the checkpoints; default: the installation's own."),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER:DIGEST",
            help="An entry that must exist, as printed earlier or in the server's log; repeatable.",
        ),
    ] = None,
    data: DataOption = None,
) -> None:
    """Check every entry against its chain and the signed checkpoints, and every other row of the
    directory against its digest; exit code 1 on a fault.
    """
    expected = [parse_expected(text) for text in expect or ()]
    with open_administration(read_settings(data=data)) as opened:
        report = opened.audit.verify(public_key, expected)
        key = public_key or opened.audit.public_key
    if not report.is_intact:
        for fault in report.faults:
            fail(fault)
        raise typer.Exit(1)
    unsigned = f", {report.unsigned} of them not signed yet" if report.unsigned else ""
    out.print(
        f"Verified: {report.entries:,} entries of {report.organizations:,} organizations{unsigned} "
        f"and {report.checkpoints:,} checkpoints, signed for {key}; every other row of the "
        "directory matches its digest."
    )
    if report.unfinished:
        out.print(
            f"{report.unfinished:,} checkpoints are incomplete; later ones cover the same entries."
        )
    for end in report.ends:
        out.print(f"{end.organization_id} ends at entry {end.end}")
    out.print("Keep these elsewhere: with --expect, they reveal a truncated trail.")


@audit.command("accept")
def accept(data: DataOption = None) -> None:
    """Accept directory rows that were changed outside Outlay; this is audited."""
    with open_administration(read_settings(data=data)) as opened:
        accepted = opened.audit.accept()
    for fault in accepted:
        out.print(f"Accepted: {fault}.")
    out.print(f"{len(accepted):,} rows accepted.")


@audit.command("list")
def list_entries(
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="Number of entries, newest first.")
    ] = 50,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """List the newest entries of an organization."""
    table = Table("no.", "time (UTC)", "who", "action", "target", box=None)
    with administration(data, organization) as (opened, operator):
        found = opened.audit.page(operator, AuditFilter(), before_number=None, limit=limit)
        for shown in found:
            entry = shown.entry
            time = f"{from_us(entry.time_us):%Y-%m-%d %H:%M:%S}"
            table.add_row(str(entry.number), time, shown.author, entry.action, entry.target)
    out.print(table)
