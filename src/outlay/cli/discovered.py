"""`outlay discovered`: entities known from reports only."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import OrganizationOption, administration
from outlay.cli.console import DataOption, out, say

discovered = typer.Typer(
    help="Discovered entities, known from usage reports only.", no_args_is_help=True
)

IdArgument = Annotated[str, typer.Argument(help="The id that `outlay discovered list` shows.")]


@discovered.command("list")
def list_discovered(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List discovered projects, API keys, users and groups."""
    table = Table("id", "kind", "name", "in usage", "source", "counts as", box=None)
    with administration(data, organization) as (opened, operator):
        for entry in opened.discovered.list_for(operator):
            table.add_row(
                entry.discovered_id,
                entry.dimension.noun,
                entry.name,
                entry.value,
                entry.source,
                entry.merged_into or "itself",
            )
    out.print(table)


@discovered.command("rename")
def rename(
    discovered_id: IdArgument,
    name: Annotated[str, typer.Argument(help="New name.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Rename an entity, including its history."""
    with administration(data, organization) as (opened, operator):
        opened.discovered.rename(operator, discovered_id, name)
    say(f"Renamed to {name!r}.")


@discovered.command("merge")
def merge(
    discovered_id: IdArgument,
    into: Annotated[
        str, typer.Argument(help="Id of the merge target; its own id to undo a merge.")
    ],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Merge an entity into another of its kind, including its history; totals do not change."""
    with administration(data, organization) as (opened, operator):
        known = opened.discovered.list_for(operator)
        entry = opened.discovered.find(operator, discovered_id)
        is_itself = into in {entry.discovered_id, entry.value}
        # The target may be given by its id, too.
        target = next((one.value for one in known if one.discovered_id == into), into)
        opened.discovered.merge(operator, discovered_id, "" if is_itself else target)
    say("Undid the merge." if is_itself else f"Merged into {target!r}.")
