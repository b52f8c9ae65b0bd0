"""`outlay token`: access tokens for the JSON API."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import (
    ExpiresOption,
    OrganizationOption,
    administration,
    parse_instant,
)
from outlay.cli.console import DataOption, out, say
from outlay.domain.actor import Scope
from outlay.domain.ids import TokenId

token = typer.Typer(help="Access tokens for the JSON API.", no_args_is_help=True)


@token.command("create")
def create(
    description: Annotated[str, typer.Option(help="Description.")],
    member: Annotated[
        str | None,
        typer.Option(help="E-mail address of its member; default: the first owner."),
    ] = None,
    scope: Annotated[list[Scope] | None, typer.Option(help="A scope; repeatable.")] = None,
    expires: ExpiresOption = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Create an access token and print it. It is not shown again, and allows what its member's role
    allows.
    """
    with administration(data, organization) as (opened, operator):
        owner = opened.members.find_by_email(operator, member)
        _, text = opened.tokens.create(
            operator,
            description=description,
            scopes=scope or [Scope.USAGE_READ],
            expires_at=parse_instant(expires, "expires"),
            member_id=owner.member_id,
        )
    say(f"Access token of {owner.email}, shown this once:")
    out.print(text)


@token.command("list")
def list_tokens(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the access tokens of an organization."""
    table = Table("id", "description", "member", "scopes", box=None)
    with administration(data, organization) as (opened, operator):
        names = {member.member_id: member.email for member in opened.members.list_for(operator)}
        for entry in opened.tokens.list_for(operator):
            scopes = " ".join(sorted(entry.scopes))
            table.add_row(entry.token_id, entry.description, names.get(entry.member_id, ""), scopes)
    out.print(table)


@token.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(help="The id that `outlay token list` shows.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Revoke an access token."""
    with administration(data, organization) as (opened, operator):
        opened.tokens.revoke(operator, TokenId(token_id))
    say(f"Revoked {token_id}.")
