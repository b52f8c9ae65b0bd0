"""The command line's preview of a price change."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.table import Table

from outlay.bootstrap.administration import open_administration
from outlay.cli.administration import operator_in
from outlay.cli.console import out, say
from outlay.domain.actor import Actor
from outlay.domain.money import render_usd
from outlay.engines import open_reading
from outlay.kit.clock import SystemClock
from outlay.pricing.book import PriceBook
from outlay.services.repricing.preview_job import PreviewSum
from outlay.services.repricing.price_preview import Preview, PreviewTable, PricePreviews
from outlay.settings import read_settings

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only show the effect on last month.")
]


def show_preview(
    data: str | None,
    organization: str | None,
    ask: Callable[[PricePreviews, Actor], Preview],
) -> None:
    """Price last month twice, with or without a running server, and show the difference."""
    settings = read_settings(data=data)
    path = settings.prices_path
    base = PriceBook.load(path if path.exists() else None)
    with open_administration(settings) as opened, open_reading(settings) as (ledger, directory):
        actor = operator_in(settings, opened, organization)
        previews = PricePreviews(
            ledger, directory, opened.prices, base, SystemClock(), max_seconds=None
        )
        preview = ask(previews, actor)
    _show(preview)


def _show(preview: Preview) -> None:
    say(preview.summary)
    table = Table("", "requests", "before, USD", "after, USD", "difference", box=None)
    _add(table, "all", preview.sums.total)
    for title, found in (("model", preview.models), ("user", preview.users)):
        _add_rows(table, title, found)
    out.print(table)
    for note in preview.notes:
        say(note)
    say("Nothing was saved.")


def _add_rows(table: Table, title: str, found: PreviewTable) -> None:
    for row in found.rows:
        _add(table, f"{title} {row.name or '(none)'}", row.sum)
    if found.others:
        _add(table, f"{found.others:,} other {title}s", found.rest)


def _add(table: Table, name: str, found: PreviewSum) -> None:
    table.add_row(
        name,
        f"{found.requests:,}",
        render_usd(found.before_pusd),
        render_usd(found.after_pusd),
        render_usd(found.difference_pusd),
    )
