"""`outlay key`: API keys that applications call the gateway with."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import OrganizationOption, administration
from outlay.cli.console import DataOption, out, say

key = typer.Typer(help="API keys that applications call the gateway with.", no_args_is_help=True)


@key.command("create")
def create(
    project: Annotated[str, typer.Option(help="Name or id of its project; created if new.")],
    description: Annotated[str, typer.Option(help="What it is for.")],
    member: Annotated[
        str | None,
        typer.Option(help="E-mail address of its creator; the first owner if not given."),
    ] = None,
    trusts_caller: Annotated[
        bool,
        typer.Option("--trusts-caller", help="Believe the user and groups that requests name."),
    ] = False,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Create an API key and print it, this once."""
    with administration(data, organization) as (opened, found):
        creator = opened.accounts.member_called(found.organization_id, member)
        belongs_to, _ = opened.accounts.ensure_project(found.organization_id, project)
        _, text = opened.api_keys.create(
            found.organization_id,
            project_id=belongs_to.project_id,
            member_id=creator.member_id,
            description=description,
            trusts_caller=trusts_caller,
        )
    say(f"API key of {belongs_to.name!r}, created for {creator.email}, shown this once:")
    out.print(text)


@key.command("list")
def list_keys(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the API keys of an organization."""
    table = Table("id", "description", "ends in", "status", box=None)
    with administration(data, organization) as (opened, found):
        for entry in opened.api_keys.of(found.organization_id):
            status = "revoked" if entry.is_revoked else "active" if entry.hint else "reported only"
            table.add_row(entry.api_key_id, entry.description, entry.hint, status)
    out.print(table)


@key.command("revoke")
def revoke(
    api_key_id: Annotated[str, typer.Argument(help="The id that `outlay key list` shows.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Refuse an API key from now on; its past stays in every number."""
    with administration(data, organization) as (opened, found):
        opened.api_keys.revoke(found.organization_id, api_key_id)
    say(f"{api_key_id} is revoked.")
