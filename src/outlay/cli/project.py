"""`outlay project`: projects, which group API keys."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import OrganizationOption, YesOption, administration, confirm
from outlay.cli.console import DataOption, out, say

project = typer.Typer(help="Projects, which group API keys.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name or id.")]


@project.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Create a project and print its id."""
    with administration(data, organization) as (opened, operator):
        out.print(opened.projects.create(operator, name).project_id)


@project.command("list")
def list_projects(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the projects of an organization."""
    table = Table("id", "name", box=None)
    with administration(data, organization) as (opened, operator):
        for entry in opened.projects.list_for(operator):
            table.add_row(entry.project_id, entry.name)
    out.print(table)


@project.command("rename")
def rename(
    project: NameArgument,
    name: Annotated[str, typer.Argument(help="New name.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Rename a project."""
    with administration(data, organization) as (opened, operator):
        known = opened.projects.find_by_name(operator, project)
        opened.projects.rename(operator, known.project_id, name)
    say(f"{known.name!r} was renamed to {name!r}.")


@project.command("delete")
def delete(
    project: NameArgument,
    yes: YesOption = False,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Delete a project: its keys are revoked, its usage remains in all totals."""
    confirm(f"Delete {project}? Its API keys stop working immediately.", yes)
    with administration(data, organization) as (opened, operator):
        known = opened.projects.find_by_name(operator, project)
        opened.projects.delete(operator, known.project_id)
    say(f"Deleted {known.name!r}.")
