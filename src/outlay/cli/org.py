"""`outlay org`: organizations."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.bootstrap.administration import open_administration
from outlay.cli.administration import OrganizationOption, administration
from outlay.cli.console import DataOption, out, say
from outlay.domain.actor import Plan
from outlay.settings import read_settings

org = typer.Typer(help="Organizations.", no_args_is_help=True)


@org.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name.")],
    plan: Annotated[Plan, typer.Option(help="Plan.")] = Plan.ENTERPRISE,
    timezone: Annotated[str, typer.Option(help="Reporting time zone.")] = "UTC",
    slug: Annotated[
        str | None, typer.Option(help="Name in URLs; default: derived from the name.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Create an organization. Add members with `outlay owner` or `outlay member invite`."""
    with open_administration(read_settings(data=data)) as opened:
        created = opened.organizations.create(name, plan=plan, timezone=timezone, slug=slug)
    say(f"Created {created.name!r}:")
    out.print(created.organization_id)


@org.command("list")
def list_organizations(data: DataOption = None) -> None:
    """List the organizations."""
    table = Table("id", "name", "slug", "plan", "time zone", box=None)
    with open_administration(read_settings(data=data)) as opened:
        for entry in opened.organizations.all():
            table.add_row(
                entry.organization_id, entry.name, entry.slug, entry.plan.value, entry.timezone
            )
    out.print(table)


@org.command("update")
def update(
    name: Annotated[str | None, typer.Option(help="Name.")] = None,
    plan: Annotated[Plan | None, typer.Option(help="Plan.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Reporting time zone.")] = None,
    slug: Annotated[str | None, typer.Option(help="Name in URLs.")] = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Change name, plan, time zone or slug."""
    with administration(data, organization) as (opened, operator):
        changed = opened.organizations.update(
            operator, name=name, plan=plan, timezone=timezone, slug=slug
        )
    say(f"{changed.name!r}: plan {changed.plan}, time zone {changed.timezone}.")
