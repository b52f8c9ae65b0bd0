"""`outlay tag`: registered tags."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import OrganizationOption, administration
from outlay.cli.console import DataOption, out, say
from outlay.kit.clock import from_us

tag = typer.Typer(help="Registered tags of requests.", no_args_is_help=True)

KeyArgument = Annotated[str, typer.Argument(help="The key, such as `team`.")]


@tag.command("add")
def add(key: KeyArgument, organization: OrganizationOption = None, data: DataOption = None) -> None:
    """Register a tag: its values are stored with new requests."""
    with administration(data, organization) as (opened, operator):
        opened.tags.add(operator, key)
    say(f"New requests keep the tag {key!r}.")


@tag.command("list")
def list_tags(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the registered tags."""
    table = Table("key", "since", box=None)
    with administration(data, organization) as (opened, operator):
        for one in opened.tags.list_for(operator):
            table.add_row(one.key, f"{from_us(one.created_at_us):%Y-%m-%d}")
    out.print(table)


@tag.command("remove")
def remove(
    key: KeyArgument, organization: OrganizationOption = None, data: DataOption = None
) -> None:
    """Unregister a tag; recorded requests keep their values."""
    with administration(data, organization) as (opened, operator):
        opened.tags.remove(operator, key)
    say(f"New requests no longer keep the tag {key!r}.")
