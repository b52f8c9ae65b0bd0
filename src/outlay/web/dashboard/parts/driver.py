"""The main driver of a change in spend."""

from collections.abc import Sequence
from dataclasses import dataclass

from outlay.domain.answers import Comparison, EntryKind
from outlay.web.dashboard.formatting import MINUS, format_money


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A sentence on what changed the spend most."""

    verb: str
    amount: str
    label: str
    label_amount: str


def driver_of(comparison: Comparison) -> Driver | None:
    """What contributed most to the change of spend."""
    moved = comparison.current.total.cost_pusd - comparison.earlier_total.cost_pusd
    if not moved or not comparison.has_growth or not comparison.earlier_total.requests:
        return None
    changes: Sequence[tuple[int, str]] = [
        (entry.total.cost_pusd - comparison.earlier_entries[entry.key].cost_pusd, entry.label)
        for entry in comparison.current.entries
        if entry.kind is not EntryKind.OTHER
    ]
    sign = 1 if moved > 0 else -1
    amount, label = max(changes, key=lambda change: change[0] * sign, default=(0, ""))
    if amount * sign <= 0:
        return None
    return Driver(
        verb="up" if moved > 0 else "down",
        amount=format_money(abs(moved)),
        label=label,
        label_amount=("+" if sign > 0 else MINUS) + format_money(abs(amount)),
    )
