"""`outlay key`: API keys for the gateway."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import (
    ExpiresOption,
    OrganizationOption,
    YesOption,
    administration,
    confirm,
    parse_instant,
)
from outlay.cli.console import DataOption, out, say
from outlay.domain.ids import ApiKeyId
from outlay.kit.clock import SystemClock, to_us

key = typer.Typer(help="API keys of applications.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="The id that `outlay key list` shows.")]


@key.command("create")
def create(
    project: Annotated[str, typer.Option(help="Name or id of its project; created if new.")],
    description: Annotated[str, typer.Option(help="Description.")],
    member: Annotated[
        str | None,
        typer.Option(help="E-mail address of its creator; default: the first owner."),
    ] = None,
    trusts_caller: Annotated[
        bool,
        typer.Option("--trusts-caller", help="Requests may set user and groups."),
    ] = False,
    expires: ExpiresOption = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Create an API key and print it. It is not shown again."""
    with administration(data, organization) as (opened, operator):
        creator = opened.members.find_by_email(operator, member)
        with opened.audited.together():
            belongs_to, _ = opened.projects.ensure(operator, project)
            created, text = opened.keys.create(
                operator,
                project_id=belongs_to.project_id,
                member_id=creator.member_id,
                description=description,
                trusts_caller=trusts_caller,
                expires_at=parse_instant(expires, "expires"),
            )
    say(
        f"API key {created.api_key_id} of {belongs_to.name!r}, created for {creator.email}, shown "
        "this once:"
    )
    out.print(text)


@key.command("list")
def list_keys(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the API keys of an organization."""
    table = Table("id", "project", "description", "ends in", "status", box=None)
    now_us = to_us(SystemClock().now())
    with administration(data, organization) as (opened, operator):
        names = {each.project_id: each.name for each in opened.projects.list_for(operator)}
        for entry in opened.keys.list_for(operator):
            table.add_row(
                entry.api_key_id,
                names.get(entry.project_id, entry.project_id),
                entry.description,
                entry.hint,
                entry.status_at(now_us),
            )
    out.print(table)


@key.command("revoke")
def revoke(
    api_key_id: IdArgument,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Revoke an API key; its usage remains in all totals."""
    with administration(data, organization) as (opened, operator):
        opened.keys.revoke(operator, ApiKeyId(api_key_id))
    say(f"Revoked {api_key_id}.")


@key.command("update")
def update(
    api_key_id: IdArgument,
    description: Annotated[str | None, typer.Option(help="Description.")] = None,
    trusts_caller: Annotated[
        bool | None,
        typer.Option(
            "--trusts-caller/--no-trusts-caller",
            help="Whether requests may set user and groups.",
        ),
    ] = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Change the description of an API key, or whether it may set attribution."""
    with administration(data, organization) as (opened, operator):
        opened.keys.update(
            operator, ApiKeyId(api_key_id), description=description, trusts_caller=trusts_caller
        )
    say(f"Changed {api_key_id}.")


@key.command("delete")
def delete(
    api_key_id: IdArgument,
    yes: YesOption = False,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Revoke an API key and remove it from the list."""
    confirm(f"Delete {api_key_id}? It stops working immediately.", yes)
    with administration(data, organization) as (opened, operator):
        opened.keys.delete(operator, ApiKeyId(api_key_id))
    say(f"Deleted {api_key_id}.")
