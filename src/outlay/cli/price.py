"""`outlay price`: negotiated prices of an organization."""

from typing import Annotated, Any

import typer
from rich.table import Table

from outlay.bootstrap.prices import open_prices
from outlay.cli.administration import OrganizationOption, administration, parse_instant
from outlay.cli.console import DataOption, out, say
from outlay.cli.exchange_rate import exchange_rate
from outlay.cli.price_preview import DryRunOption, show_preview
from outlay.domain.errors import Invalid, NotFound
from outlay.domain.money import render_usd
from outlay.domain.organization_price import OrganizationPrice
from outlay.domain.provider import find_provider
from outlay.kit.clock import SystemClock, to_us
from outlay.pricing.exchange import Conversion
from outlay.pricing.rates import PRICES, lines_of_rates
from outlay.services.directory.prices import book_with, conversions
from outlay.settings import read_settings

price = typer.Typer(help="Negotiated prices of an organization.", no_args_is_help=True)
price.add_typer(exchange_rate, name="rate")

ContextOption = Annotated[
    list[str] | None, typer.Option(help="Such as service_tier=flex; repeatable.")
]


@price.command("add")
def add(
    model: Annotated[
        str | None, typer.Argument(help="A model id such as openai/gpt-5.5, or a canonical model.")
    ] = None,
    input_: Annotated[str | None, typer.Option("--input", help="Per million input tokens.")] = None,
    output: Annotated[str | None, typer.Option(help="Per million output tokens.")] = None,
    cache_read: Annotated[str | None, typer.Option(help="Per million tokens.")] = None,
    cache_write: Annotated[str | None, typer.Option(help="Per million tokens.")] = None,
    cache_write_1h: Annotated[
        str | None, typer.Option("--cache-write-1h", help="Per million tokens cached for an hour.")
    ] = None,
    reasoning: Annotated[str | None, typer.Option(help="Per million tokens.")] = None,
    per_request: Annotated[str | None, typer.Option(help="Per request.")] = None,
    meter: Annotated[
        list[str] | None, typer.Option(help="Such as web_searches=8; repeatable.")
    ] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(help="Such as above=200000,input=8.5; repeatable."),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option(help="Currency of all amounts; needs an exchange rate. Default: USD."),
    ] = None,
    percent: Annotated[
        str | None, typer.Option(help="Percentage of the list prices, instead of amounts.")
    ] = None,
    percent_of: Annotated[
        list[str] | None,
        typer.Option(
            help="Percentage of one price or meter, such as web_searches=100; repeatable."
        ),
    ] = None,
    provider: Annotated[str | None, typer.Option(help="For this provider only.")] = None,
    effective_from: Annotated[str | None, typer.Option(help="First day, UTC.")] = None,
    effective_to: Annotated[
        str | None, typer.Option(help="First day without this price, UTC.")
    ] = None,
    context: ContextOption = None,
    dry_run: DryRunOption = False,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Add a price for new requests and print its id."""
    entry: dict[str, object] = {
        "model": model,
        "provider": provider,
        "input": input_,
        "output": output,
        "cache_read": cache_read,
        "cache_write": cache_write,
        "cache_write_1h": cache_write_1h,
        "reasoning": reasoning,
        "per_request": per_request,
        "meters": _pairs(meter, "meter") or None,
        "tier": [_tier(text) for text in tier or []] or None,
        "currency": currency,
        "percent_of_list": percent,
        "percents": _pairs(percent_of, "percent-of") or None,
        "effective_from": effective_from,
        "effective_to": effective_to,
        "context": _pairs(context, "context") or None,
    }
    given = {name: value for name, value in entry.items() if value is not None}
    if dry_run:
        show_preview(data, organization, lambda previews, actor: previews.of_price(actor, given))
        return
    with administration(data, organization) as (opened, operator):
        out.print(opened.prices.create(operator, given).price_id)


@price.command("list")
def list_prices(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """List the negotiated prices of an organization."""
    table = Table("id", "model", "provider", "what", "from", "to", box=None)
    with administration(data, organization) as (opened, operator):
        own = opened.prices.list_for(operator)
    rates = conversions(own, to_us(SystemClock().now()))
    for known in own.prices:
        entry = known.entry
        table.add_row(
            known.price_id,
            *(str(entry.get(name, "any")) for name in ("model", "provider")),
            _describe(known, rates.get(known.price_id)),
            *(str(entry.get(name, "")) for name in ("effective_from", "effective_to")),
        )
    out.print(table)


def _describe(price: OrganizationPrice, conversion: Conversion | None) -> str:
    """A price in its own currency."""
    entry = price.entry
    parts = [f"{entry['percent_of_list']} % of the list"] if "percent_of_list" in entry else []
    parts += [f"{name} {value} %" for name, value in entry.get("percents", {}).items()]
    parts += [f"{name} {entry[name]}" for name in PRICES if name in entry]
    parts += [f"{name} {value}" for name, value in entry.get("meters", {}).items()]
    parts += [
        f"above {tier['above']:,}: "
        + " ".join(f"{name} {value}" for name, value in tier.items() if name != "above")
        for tier in entry.get("tier", [])
    ]
    if conversion is not None:
        parts.append(f"in {conversion.currency} at {conversion.usd:f} USD")
    return ", ".join(parts)


@price.command("show")
def show(
    model: Annotated[str, typer.Argument(help="A model id such as openai/gpt-5.5.")],
    at: Annotated[str | None, typer.Option(help="Date or instant, UTC; default: now.")] = None,
    context: ContextOption = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Show the price of a model at a date, and its source."""
    instant = parse_instant(at, "at") or SystemClock().now()
    _, base = open_prices(read_settings(data=data))
    with administration(data, organization) as (opened, operator):
        book = book_with(base, opened.prices.list_for(operator))
    provider = find_provider(model.partition("/")[0])
    found = book.find(provider, model, to_us(instant), _pairs(context, "context"))
    if found.rates is None:
        raise NotFound(f"{model} has no price at {instant:%Y-%m-%d %H:%M} UTC.")
    table = Table("for", "USD", "per", box=None)
    for size, rates in ((0, found.rates.base), *reversed(found.rates.tiers)):
        above = f", input above {size:,} tokens" if size else ""
        for name, pusd, per in lines_of_rates(rates):
            table.add_row(f"{name}{above}", render_usd(pusd), per)
    out.print(table)
    say(f"Source: {found.ref}.")
    if found.unlisted_context:
        say(f"Unpriced: {', '.join(found.unlisted_context)}.")


@price.command("delete")
def delete(
    price_id: Annotated[str, typer.Argument(help="The id that `outlay price list` shows.")],
    dry_run: DryRunOption = False,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Delete a price: later requests are priced without it."""
    if dry_run:
        show_preview(
            data, organization, lambda previews, actor: previews.of_deletion(actor, price_id)
        )
        return
    with administration(data, organization) as (opened, operator):
        opened.prices.delete(operator, price_id)
    say(f"Deleted {price_id}.")


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts or []]
    for text, (name, sign, value) in zip(texts or [], pairs, strict=True):
        if not (name and sign and value):
            raise Invalid(
                f"`--{option}` must have the form name=value, not {text!r}.", field=option
            )
    return {name: value for name, _, value in pairs}


def _tier(text: str) -> dict[str, Any]:
    """A tier; values that are not numbers are left for validation."""
    tier: dict[str, Any] = _pairs(text.split(","), "tier")
    above = tier.get("above", "")
    return {**tier, "above": int(above)} if above.isdecimal() else tier
