"""`outlay model`: model mappings."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import OrganizationOption, administration
from outlay.cli.console import DataOption, out, say
from outlay.cli.upstream import find_upstream
from outlay.domain.errors import Invalid

model = typer.Typer(help="Model mappings: your own names for models.", no_args_is_help=True)


@model.command("map")
def map_model(
    name: Annotated[str, typer.Argument(help="The name that requests use.")],
    target: Annotated[str, typer.Argument(help="Upstream and model, such as openai/gpt-5.4-mini.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Map a name to a model of an upstream, or change a mapping."""
    prefix, slash, rest = target.partition("/")
    if not slash or not rest:
        raise Invalid(
            f"The target must have the form upstream/model, not {target!r}.", field="target"
        )
    with administration(data, organization) as (opened, operator):
        upstream = find_upstream(opened.upstreams.list_for(operator), prefix)
        opened.upstreams.put_mapping(
            operator, name=name, upstream_id=upstream.upstream_id, model=rest
        )
    say(f"{name} is mapped to {target}.")


@model.command("list")
def list_models(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the model mappings of an organization."""
    table = Table("name", "means", box=None)
    with administration(data, organization) as (opened, operator):
        names = {u.upstream_id: u.name for u in opened.upstreams.list_for(operator)}
        for mapping in opened.upstreams.mappings_of(operator):
            table.add_row(mapping.name, f"{names[mapping.upstream_id]}/{mapping.model}")
    out.print(table)


@model.command("unmap")
def unmap(
    name: Annotated[str, typer.Argument(help="The name to delete.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Delete a model mapping."""
    with administration(data, organization) as (opened, operator):
        opened.upstreams.delete_mapping(operator, name)
    say(f"Deleted {name}.")
