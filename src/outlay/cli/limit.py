"""`outlay limit`: spend limits."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import OrganizationOption, administration
from outlay.cli.console import DataOption, out, say
from outlay.domain.errors import Invalid
from outlay.domain.money import read_amount, render_usd
from outlay.domain.spend_limit import LimitInterval, LimitScope

limit = typer.Typer(help="Spend limits of keys, projects and members.", no_args_is_help=True)

ScopeArgument = Annotated[LimitScope, typer.Argument(help="What the limit applies to.")]
IdArgument = Annotated[str, typer.Argument(help="The id of the key, project or member.")]
IntervalArgument = Annotated[LimitInterval, typer.Argument(help="Reset interval.")]


@limit.command("set")
def set_limit(
    scope: ScopeArgument,
    scope_id: IdArgument,
    interval: IntervalArgument,
    amount: Annotated[str, typer.Argument(help="USD.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Limit the spend per day, week or month in the organization's time zone."""
    try:
        amount_pusd = read_amount(amount)
    except ValueError as error:
        raise Invalid(str(error), field="amount") from error
    with administration(data, organization) as (opened, operator):
        opened.limits.put(operator, scope, scope_id, interval, amount_pusd)
    say(f"{scope_id} may spend {render_usd(amount_pusd)} USD per {interval}.")


@limit.command("list")
def list_limits(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the limits of an organization."""
    table = Table("scope", "id", "per", "USD", box=None)
    with administration(data, organization) as (opened, operator):
        for known in opened.limits.list_for(operator):
            amount = render_usd(known.amount_pusd)
            table.add_row(known.scope, known.scope_id, known.interval, amount)
    out.print(table)


@limit.command("remove")
def remove(
    scope: ScopeArgument,
    scope_id: IdArgument,
    interval: IntervalArgument,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Remove a limit."""
    with administration(data, organization) as (opened, operator):
        opened.limits.delete(operator, scope, scope_id, interval)
    say("Deleted the limit.")
