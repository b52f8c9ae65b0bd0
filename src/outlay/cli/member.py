"""`outlay member`: the members of an organization."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import (
    OrganizationOption,
    YesOption,
    administration,
    base_url_of,
    confirm,
)
from outlay.cli.console import DataOption, out, say
from outlay.cli.installation import use_installation
from outlay.domain.actor import Role
from outlay.settings import read_settings

member = typer.Typer(help="Members of an organization.", no_args_is_help=True)

EmailArgument = Annotated[str, typer.Argument(help="E-mail address.")]


@member.command("invite")
def invite(
    email: EmailArgument,
    role: Annotated[Role, typer.Option(help="Role.")] = Role.DEVELOPER,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Print an invitation link, valid once within seven days."""
    with administration(data, organization) as (opened, operator):
        _, secret = opened.members.invite(operator, email, role)
    say(f"Give this link to {email}:")
    out.print(f"{base_url_of(data)}/invitation/{secret}")


@member.command("list")
def list_members(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the members of an organization and open invitations."""
    table = Table("id", "name", "e-mail address", "role", box=None)
    with administration(data, organization) as (opened, operator):
        for entry in opened.members.list_for(operator):
            table.add_row(entry.member_id, entry.name, entry.email, entry.role.value)
        for invitation in opened.members.invitations(operator):
            table.add_row(
                invitation.invitation_id, "(invited)", invitation.email, invitation.role.value
            )
    out.print(table)


@member.command("update")
def update(
    email: EmailArgument,
    name: Annotated[str | None, typer.Option(help="Name.")] = None,
    role: Annotated[Role | None, typer.Option(help="Role.")] = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Change name or role; a new role signs the member out."""
    with administration(data, organization) as (opened, operator):
        known = opened.members.find_by_email(operator, email)
        changed = opened.members.update(operator, known.member_id, name=name, role=role)
    say(f"{changed.name} is {changed.role}.")


@member.command("password-link")
def password_link(
    email: EmailArgument, organization: OrganizationOption = None, data: DataOption = None
) -> None:
    """Print a link to set a new password, valid once within a day."""
    with administration(data, organization) as (opened, operator):
        known = opened.members.find_by_email(operator, email)
        secret = opened.members.create_password_link(operator, known.member_id)
    say(f"Give this link to {known.email}:")
    out.print(f"{base_url_of(data)}/password/{secret}")


@member.command("remove")
def remove(
    email: EmailArgument,
    yes: YesOption = False,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Remove a member: ends sessions and revokes tokens. Created API keys keep working."""
    confirm(f"Remove {email}?", yes)
    with administration(data, organization) as (opened, operator):
        opened.members.remove(operator, opened.members.find_by_email(operator, email).member_id)
    say(f"Removed {email}.")


@member.command("revoke-invitation")
def revoke_invitation(
    invitation_id: Annotated[str, typer.Argument(help="The id that `outlay member list` shows.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Revoke an invitation."""
    with administration(data, organization) as (opened, operator):
        opened.members.revoke_invitation(operator, invitation_id)
    say("Revoked the invitation.")


@member.command("erase")
def erase(
    who: Annotated[str, typer.Argument(help="E-mail address, or the id of a former member.")],
    yes: YesOption = False,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Erase a person's identity everywhere and permanently. Totals do not change."""
    confirm(f"Erase {who}? Name and address are destroyed permanently.", yes)
    with use_installation(read_settings(data=data)) as installation:
        report = installation.erase(organization, who)
    say(
        f"Erased: {report.events:,} events and {report.values:,} values of the audit trail no "
        f"longer identify the person. The remaining id is {report.member_id}."
    )
    if report.left:
        say("Texts written by others, and copies, still contain the name or address:")
        for place, count in sorted(report.left.items()):
            say(f"  {place}: {count:,}")
