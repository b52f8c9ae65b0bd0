"""`outlay key`: API keys that applications call the gateway with."""

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

key = typer.Typer(help="API keys that applications call the gateway with.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="The id that `outlay key list` shows.")]


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
    expires: ExpiresOption = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Create an API key and print it, this once."""
    with administration(data, organization) as (opened, operator):
        creator = opened.members.called(operator, member)
        with opened.trail.together():
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
        names = {each.project_id: each.name for each in opened.projects.of(operator)}
        for entry in opened.keys.of(operator):
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
    """Refuse an API key from now on; its past stays in every number."""
    with administration(data, organization) as (opened, operator):
        opened.keys.revoke(operator, ApiKeyId(api_key_id))
    say(f"{api_key_id} is revoked.")


@key.command("update")
def update(
    api_key_id: IdArgument,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    trusts_caller: Annotated[
        bool | None,
        typer.Option(
            "--trusts-caller/--no-trusts-caller",
            help="Believe the user and groups that requests name, or not.",
        ),
    ] = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Change description or trust of an API key."""
    with administration(data, organization) as (opened, operator):
        opened.keys.update(
            operator, ApiKeyId(api_key_id), description=description, trusts_caller=trusts_caller
        )
    say(f"{api_key_id} is changed.")


@key.command("delete")
def delete(
    api_key_id: IdArgument,
    yes: YesOption = False,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Refuse an API key from now on and take it off the list."""
    confirm(f"Delete {api_key_id}? Applications that use it are refused at once.", yes)
    with administration(data, organization) as (opened, operator):
        opened.keys.delete(operator, ApiKeyId(api_key_id))
    say(f"{api_key_id} is deleted.")
