"""The period picker: its values and validation errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from starlette.requests import Request

from outlay.domain.comparison_period import Compare
from outlay.domain.query import UsageQuery
from outlay.web.dashboard.page_query import refused_of

COMPARISONS: Final = {
    Compare.PREVIOUS: "Previous period",
    Compare.YEAR: "Year before",
    Compare.NONE: "None",
}
"""Comparisons that are selected with a click; a custom start has a field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picker:
    """The fields, and messages by field."""

    values: Mapping[str, str]
    errors: Mapping[str, str]
    compare: Compare
    comparisons: Mapping[Compare, str]


def picker_of(request: Request, query: UsageQuery) -> Picker:
    """The picker for a query; rejected values are kept as entered."""
    period, beside = query.period, query.beside
    refused = refused_of(request)
    values = {
        "from": period.from_date.isoformat(),
        "to": period.to_date.isoformat(),
        "timezone": period.timezone,
        "compareFrom": "",
    }
    if beside and beside.compare is Compare.CUSTOM:
        values["compareFrom"] = beside.period.from_date.isoformat()
    kept = refused.names & values.keys()
    if "preset" in refused.entered:
        kept -= {"from", "to"}
    values |= {name: _shown(name, refused.entered.get(name, "")) for name in kept}
    return Picker(
        values=values,
        errors={name: text[:1].upper() + text[1:] for name, text in refused.errors.items()},
        compare=beside.compare if beside else Compare.NONE,
        comparisons=COMPARISONS,
    )


def _shown(name: str, text: str) -> str:
    """The entered value, if its field can show it: a date field shows only dates."""
    if name == "timezone":
        return text
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return ""
