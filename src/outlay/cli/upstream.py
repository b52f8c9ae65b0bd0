"""`outlay upstream`: provider connections."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import OrganizationOption, administration
from outlay.cli.console import DataOption, out, say, take_secret
from outlay.domain.errors import NotFound
from outlay.domain.upstream import Upstream

upstream = typer.Typer(help="Upstreams: provider connections.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The name that `outlay upstream list` shows.")]
SecretOption = Annotated[
    str,
    typer.Option(
        prompt="Secret (empty for none)",
        hide_input=True,
        callback=take_secret,
        envvar="OUTLAY_UPSTREAM_SECRET",
        help="The provider's API key; default: a prompt; - reads standard input.",
    ),
]


AsksOption = Annotated[
    bool | None,
    typer.Option(
        "--ask-usage/--no-ask-usage",
        help="Whether to request usage of streams with stream_options.",
    ),
]


@upstream.command("add")
def add(
    provider: Annotated[
        str, typer.Argument(help="The provider, whose prices apply: openai, anthropic …")
    ],
    name: Annotated[
        str | None, typer.Option(help="Prefix in model ids; default: the provider.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Base URL up to /v1; default: the provider's.")
    ] = None,
    secret: SecretOption = "",
    asks_usage: AsksOption = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Add an upstream. Its secret is sealed and never shown again."""
    with administration(data, organization) as (opened, operator):
        added = opened.upstreams.create(
            operator,
            provider=provider,
            name=name,
            base_url=base_url,
            secret=secret or None,
            asks_usage=asks_usage is not False,
        )
    say(f"Requests for {added.name}/… go to {added.base_url}")


@upstream.command("list")
def list_upstreams(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the upstreams of an organization."""
    table = Table("name", "provider", "base URL", "secret", box=None)
    with administration(data, organization) as (opened, operator):
        for entry in opened.upstreams.list_for(operator):
            hint = f"…{entry.hint}" if entry.hint else ""
            table.add_row(entry.name, entry.provider, entry.base_url, hint)
    out.print(table)


@upstream.command("update")
def update(
    name: NameArgument,
    base_url: Annotated[str | None, typer.Option(help="New base URL; requires the secret.")] = None,
    secret: SecretOption = "",
    asks_usage: AsksOption = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Change the base URL or secret of an upstream."""
    with administration(data, organization) as (opened, operator):
        known = find_upstream(opened.upstreams.list_for(operator), name)
        changed = opened.upstreams.update(
            operator,
            known.upstream_id,
            base_url=base_url,
            secret=secret or None,
            asks_usage=asks_usage,
        )
    say(f"Requests for {changed.name}/… go to {changed.base_url}")


@upstream.command("remove")
def remove(
    name: NameArgument, organization: OrganizationOption = None, data: DataOption = None
) -> None:
    """Delete an upstream, its model mappings and its secret."""
    with administration(data, organization) as (opened, operator):
        known = find_upstream(opened.upstreams.list_for(operator), name)
        opened.upstreams.delete(operator, known.upstream_id)
    say(f"Deleted {name}.")


def find_upstream(upstreams: list[Upstream], name: str) -> Upstream:
    """The upstream with a name; raises NotFound, listing the available ones."""
    for known in upstreams:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in upstreams) or "none yet"
    raise NotFound(f"There is no upstream {name!r}. Available: {names}.")
