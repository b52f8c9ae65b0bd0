"""`outlay price`: what an organization has agreed on with providers."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.bootstrap import open_prices
from outlay.cli.administration import OrganizationOption, administration, parse_instant
from outlay.cli.console import DataOption, out, say
from outlay.domain.errors import Invalid, NotFound
from outlay.domain.money import render_usd
from outlay.domain.provider import provider_called
from outlay.kit.clock import SystemClock, to_us
from outlay.pricing.rates import lines_of_rates
from outlay.services.prices import book_with
from outlay.settings import read_settings

price = typer.Typer(help="Prices of an organization's own.", no_args_is_help=True)


@price.command("add")
def add(
    model: Annotated[str, typer.Argument(help="A mapping such as openai/gpt-5.5, or a model.")],
    input_: Annotated[
        str | None, typer.Option("--input", help="USD per million input tokens.")
    ] = None,
    output: Annotated[str | None, typer.Option(help="USD per million output tokens.")] = None,
    cache_read: Annotated[str | None, typer.Option(help="USD per million tokens.")] = None,
    cache_write: Annotated[str | None, typer.Option(help="USD per million tokens.")] = None,
    reasoning: Annotated[str | None, typer.Option(help="USD per million tokens.")] = None,
    per_request: Annotated[str | None, typer.Option(help="USD per request.")] = None,
    provider: Annotated[str | None, typer.Option(help="For this provider only.")] = None,
    effective_from: Annotated[str | None, typer.Option(help="First day, UTC.")] = None,
    effective_to: Annotated[str | None, typer.Option(help="First day without it, UTC.")] = None,
    context: Annotated[
        list[str] | None, typer.Option(help="As in service_tier=flex; repeatable.")
    ] = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Add a price, for requests from now on, and print its id."""
    entry: dict[str, object] = {
        "model": model,
        "provider": provider,
        "input": input_,
        "output": output,
        "cache_read": cache_read,
        "cache_write": cache_write,
        "reasoning": reasoning,
        "per_request": per_request,
        "effective_from": effective_from,
        "effective_to": effective_to,
        "context": _context(context or []) or None,
    }
    given = {name: value for name, value in entry.items() if value is not None}
    with administration(data, organization) as (opened, operator):
        out.print(opened.prices.create(operator, given).price_id)


@price.command("list")
def list_prices(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the prices of an organization's own, USD per million tokens."""
    table = Table("id", "model", "provider", "input", "output", "from", "to", box=None)
    with administration(data, organization) as (opened, operator):
        for known in opened.prices.of(operator):
            names = ("model", "provider", "input", "output", "effective_from", "effective_to")
            table.add_row(known.price_id, *(str(known.entry.get(name, "")) for name in names))
    out.print(table)


@price.command("show")
def show(
    model: Annotated[str, typer.Argument(help="A mapping such as openai/gpt-5.5.")],
    at: Annotated[str | None, typer.Option(help="Date or instant, UTC; now without it.")] = None,
    context: Annotated[
        list[str] | None, typer.Option(help="As in service_tier=flex; repeatable.")
    ] = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Show what a model costs at a date, and where that is from."""
    instant = parse_instant(at, "at") or SystemClock().now()
    _, base = open_prices(read_settings(data=data))
    with administration(data, organization) as (opened, operator):
        book = book_with(base, opened.prices.of(operator))
    provider = provider_called(model.partition("/")[0])
    found = book.find(provider, model, to_us(instant), _context(context or []))
    if found.rates is None:
        raise NotFound(f"there is no price for {model} at {instant:%Y-%m-%d %H:%M} UTC")
    table = Table("for", "USD", "per", box=None)
    for size, rates in ((0, found.rates.base), *reversed(found.rates.tiers)):
        above = f", input above {size:,} tokens" if size else ""
        for name, pusd, per in lines_of_rates(rates):
            table.add_row(f"{name}{above}", render_usd(pusd), per)
    out.print(table)
    say(f"Source: {found.ref}.")
    if found.unlisted_context:
        say(f"Without a price: {', '.join(found.unlisted_context)}.")


@price.command("delete")
def delete(
    price_id: Annotated[str, typer.Argument(help="The id that `outlay price list` shows.")],
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Remove a price: later requests are priced without it."""
    with administration(data, organization) as (opened, operator):
        opened.prices.delete(operator, price_id)
    say(f"{price_id} is deleted.")


def _context(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for text, (name, sign, value) in zip(texts, pairs, strict=True):
        if not (name and sign and value):
            raise Invalid(f"write the context as name=value, not {text!r}", field="context")
    return {name: value for name, _, value in pairs}
