"""Short lists of top entries, each a link."""

from collections.abc import Callable
from dataclasses import dataclass

from outlay.domain.answers import Breakdown, EntryKind
from outlay.web.dashboard.formatting import format_exact_money, format_money, format_number_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRow:
    """A line of a short list."""

    label: str
    note: str
    value: str
    exact: str
    path: str
    """The path it links to; empty for no link."""


def rows_by_spend(found: Breakdown, path_of: Callable[[str], str], rest: str) -> list[SideRow]:
    """The entries of a breakdown with their cost; `rest` is the link for the remaining ones."""
    paths = {EntryKind.OTHER: rest, EntryKind.UNATTRIBUTED: ""}
    return [
        SideRow(
            label=f"Other ({entry.members})" if entry.kind is EntryKind.OTHER else entry.label,
            note=format_number_of(entry.total.requests, "request"),
            value=format_money(entry.total.cost_pusd),
            exact=format_exact_money(entry.total.cost_pusd),
            path=path_of(entry.key) if entry.kind is EntryKind.VALUE else paths[entry.kind],
        )
        for entry in found.entries
    ]
