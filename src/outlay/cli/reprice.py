"""`outlay reprice`."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final

import typer
from rich.table import Table

from outlay.cli.administration import OrganizationOption
from outlay.cli.console import DataOption, out
from outlay.cli.installation import use_installation
from outlay.domain.errors import Invalid
from outlay.domain.money import render_usd
from outlay.domain.repricing import Reprice, RepriceLine, RepriceTable, RepriceWanted
from outlay.services.repricing.orders import RepriceOrder, check_wanted
from outlay.settings import read_settings

SHOWN: Final = 15
"""Maximum number of rows printed per table."""


def reprice(
    from_: Annotated[str | None, typer.Option("--from", help="First day.")] = None,
    to: Annotated[str | None, typer.Option(help="Last day.")] = None,
    timezone: Annotated[str, typer.Option(help="Time zone of the days.")] = "UTC",
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="Such as model=gpt-5.5 or provider=azure; repeatable."),
    ] = None,
    only_lacking: Annotated[
        bool, typer.Option("--only-lacking", help="Only requests without a complete price.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Reason for the audit trail.")] = "",
    apply: Annotated[
        bool, typer.Option("--apply", help="Apply the changes; default: only a preview.")
    ] = False,
    revert: Annotated[str | None, typer.Option(help="Revert the run with this id.")] = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Reprice recorded requests with the prices of their time as they are known now.

    Rows are amended, never edited: a run can be reverted with --revert.
    """
    order = _order(from_, to, timezone, filters or [], only_lacking, organization)
    if (apply or revert) and not reason:
        raise Invalid("`--reason` is required. It is written to the audit trail.", field="reason")
    if revert:
        order = RepriceOrder(organization=organization, reason=reason, reverts=revert)
    elif order is None:
        raise Invalid(
            "`--from` and `--to` are required, such as `--from 2026-11-01 --to 2026-11-30`.",
            field="from",
        )
    elif apply:
        order = RepriceOrder(organization=organization, wanted=order.wanted, reason=reason)
    with use_installation(read_settings(data=data)) as installation:
        _show(installation.reprice(order))


def _order(
    from_: str | None,
    to: str | None,
    timezone: str,
    filters: Sequence[str],
    only_lacking: bool,
    organization: str | None,
) -> RepriceOrder | None:
    """The order for the given days; None if no days are given."""
    if from_ is None and to is None:
        return None
    values: dict[str, list[str]] = {}
    for text in filters:
        name, sign, value = text.partition("=")
        if not sign:
            raise Invalid(
                f"`--filter` must have the form name=value, not {text!r}.", field="filter"
            )
        values.setdefault(name, []).append(value)
    wanted = RepriceWanted(
        from_date=_day(from_, "from"),
        to_date=_day(to, "to"),
        timezone=timezone,
        filters=values,
        only_lacking=only_lacking,
    )
    check_wanted(wanted)
    return RepriceOrder(organization=organization, wanted=wanted)


def _day(text: str | None, field: str) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError as error:
        raise Invalid(f"`--{field}` must be a date such as 2026-11-01.", field=field) from error


def _show(found: Reprice) -> None:
    table = found.table
    if table is None:
        raise RuntimeError("a finished run has a table")
    for title, lines in (
        ("model", table.by_model),
        ("user", table.by_user),
        ("why", table.by_cause),
    ):
        if lines:
            out.print(_table(title, lines))
    out.print(_sentence(found, table))


def _table(title: str, lines: Sequence[RepriceLine]) -> Table:
    table = Table(box=None)
    table.add_column(title)
    for name in ("requests", "before", "after", "difference"):
        table.add_column(name, justify="right")
    for line in lines[:SHOWN]:
        table.add_row(
            line.label,
            f"{line.requests:,}",
            render_usd(line.before_pusd),
            render_usd(line.after_pusd),
            render_usd(line.after_pusd - line.before_pusd),
        )
    if len(lines) > SHOWN:
        table.add_row(f"{len(lines) - SHOWN:,} more", "", "", "", "")
    return table


def _sentence(found: Reprice, table: RepriceTable) -> str:
    amounts = (
        f"{render_usd(table.before_pusd)} USD before, {render_usd(table.after_pusd)} USD after, "
        f"difference {render_usd(table.after_pusd - table.before_pusd)} USD"
    )
    if not found.reprice_id:
        return (
            f"{table.changed:,} of {table.seen:,} requests would have a different cost: {amounts}. "
            "Nothing was changed; use --apply with --reason."
        )
    skipped = f" {found.skipped:,} were amended since and are unchanged." if found.skipped else ""
    return f"{found.reprice_id}: {table.changed:,} requests amended: {amounts}.{skipped}"
