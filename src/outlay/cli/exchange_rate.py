"""`outlay price rate`: exchange rates for prices in other currencies."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import OrganizationOption, administration
from outlay.cli.console import DataOption, out, say
from outlay.cli.price_preview import DryRunOption, show_preview

exchange_rate = typer.Typer(
    help="Exchange rates for prices in other currencies.", no_args_is_help=True
)


@exchange_rate.command("add")
def add(
    currency: Annotated[str, typer.Argument(help="ISO 4217 code such as EUR.")],
    usd: Annotated[str, typer.Argument(help="USD for one unit.")],
    effective_from: Annotated[
        str | None, typer.Option(help="First day, UTC; valid until the next rate.")
    ] = None,
    dry_run: DryRunOption = False,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Add an exchange rate for new requests and print its id."""
    entry = {"currency": currency, "usd": usd, "effective_from": effective_from}
    given = {name: value for name, value in entry.items() if value is not None}
    if dry_run:
        show_preview(data, organization, lambda previews, actor: previews.of_rate(actor, given))
        return
    with administration(data, organization) as (opened, operator):
        out.print(opened.prices.create_rate(operator, given).rate_id)


@exchange_rate.command("list")
def list_rates(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the exchange rates of an organization."""
    table = Table("id", "currency", "USD", "from", box=None)
    with administration(data, organization) as (opened, operator):
        for rate in opened.prices.list_for(operator).rates:
            table.add_row(rate.rate_id, rate.currency, rate.usd, rate.effective_from or "")
    out.print(table)


@exchange_rate.command("delete")
def delete(
    rate_id: Annotated[str, typer.Argument(help="The id that `outlay price rate list` shows.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Delete an exchange rate; refused while a price needs it."""
    with administration(data, organization) as (opened, operator):
        opened.prices.delete_rate(operator, rate_id)
    say(f"Deleted {rate_id}.")
