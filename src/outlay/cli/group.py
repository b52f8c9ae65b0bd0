"""`outlay group`: named sets of people for reporting."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import (
    OrganizationOption,
    YesOption,
    administration,
    confirm,
    parse_instant,
)
from outlay.cli.console import DataOption, out, say
from outlay.kit.clock import SystemClock, to_us

group = typer.Typer(help="User groups: named sets of members.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name or id.")]
EmailArgument = Annotated[str, typer.Argument(help="E-mail address of the member.")]


@group.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Create a user group and print its id."""
    with administration(data, organization) as (opened, operator):
        out.print(opened.groups.create(operator, name).group_id)


@group.command("list")
def list_groups(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the user groups and their members."""
    table = Table("id", "name", "members", box=None)
    now_us = to_us(SystemClock().now())
    with administration(data, organization) as (opened, operator):
        names = {m.member_id: m.email for m in opened.members.list_for(operator)}
        memberships = opened.groups.memberships(operator)
        for entry in opened.groups.list_for(operator):
            inside = [
                names[m.member_id]
                for m in memberships
                if m.group_id == entry.group_id and m.is_valid_at(now_us) and m.member_id in names
            ]
            table.add_row(entry.group_id, entry.name, ", ".join(inside))
    out.print(table)


@group.command("rename")
def rename(
    group: NameArgument,
    name: Annotated[str, typer.Argument(help="New name.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Rename a user group."""
    with administration(data, organization) as (opened, operator):
        known = opened.groups.find_by_name(operator, group)
        opened.groups.rename(operator, known.group_id, name)
    say(f"{known.name!r} was renamed to {name!r}.")


@group.command("add", hidden=True)  # the name in earlier versions
@group.command("add-member")
def add_member(
    group: NameArgument,
    email: EmailArgument,
    since: Annotated[str | None, typer.Option(help="Date or instant, UTC; default: now.")] = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Add a member to a user group. Recorded requests keep their groups."""
    with administration(data, organization) as (opened, operator):
        known = opened.groups.find_by_name(operator, group)
        member = opened.members.find_by_email(operator, email)
        start = parse_instant(since, "since")
        opened.groups.add_member(operator, known.group_id, member.member_id, start)
    say(f"Added {member.name} to {known.name!r}.")


@group.command("take", hidden=True)  # the name in earlier versions
@group.command("remove-member")
def remove_member(
    group: NameArgument,
    email: EmailArgument,
    until: Annotated[str | None, typer.Option(help="Date or instant, UTC; default: now.")] = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Remove a member from a user group."""
    with administration(data, organization) as (opened, operator):
        known = opened.groups.find_by_name(operator, group)
        member = opened.members.find_by_email(operator, email)
        end = parse_instant(until, "until")
        opened.groups.remove_member(operator, known.group_id, member.member_id, end)
    say(f"Removed {member.name} from {known.name!r}.")


@group.command("delete")
def delete(
    group: NameArgument,
    yes: YesOption = False,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Delete a user group: its memberships end, its history remains."""
    confirm(f"Delete {group}?", yes)
    with administration(data, organization) as (opened, operator):
        known = opened.groups.find_by_name(operator, group)
        opened.groups.delete(operator, known.group_id)
    say(f"Deleted {known.name!r}.")
