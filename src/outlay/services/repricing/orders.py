"""Orders to reprice requests, and what is wrong with them."""

from dataclasses import dataclass
from typing import Final

from outlay.domain.dimension import OF_CELLS
from outlay.domain.errors import Invalid
from outlay.domain.event import EARLIEST_EVENT
from outlay.domain.period import parse_zone
from outlay.domain.repricing import (
    RepriceWanted,
)

LAST_YEAR: Final = 2100
FILTERS: Final = tuple(str(dimension) for dimension in OF_CELLS)
"""Filters for the requests to reprice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepriceOrder:
    """What the command line requests: a preview, a run, or a revert."""

    organization: str | None
    wanted: RepriceWanted | None = None
    reason: str = ""
    """Empty for a preview."""
    reverts: str = ""


def check_wanted(wanted: RepriceWanted) -> None:
    """Raise Invalid for an invalid period, time zone or filter."""
    parse_zone(wanted.timezone)
    if wanted.to_date < wanted.from_date:
        raise Invalid("`to` must not be before `from`.", field="to")
    if not (EARLIEST_EVENT.date() <= wanted.from_date and wanted.to_date.year <= LAST_YEAR):
        raise Invalid(
            f"Days must be between {EARLIEST_EVENT:%Y-%m-%d} and {LAST_YEAR}.", field="from"
        )
    for name, values in wanted.filters.items():
        if name not in FILTERS:
            raise Invalid(
                f"There is no filter {name!r}. Available: {', '.join(FILTERS)}.", field="filters"
            )
        if not values:
            raise Invalid(f"The filter {name} has no value.", field="filters")
        if not all(value.isprintable() for value in values):
            raise Invalid(
                f"The filter {name} contains characters that are not valid text.", field="filters"
            )
