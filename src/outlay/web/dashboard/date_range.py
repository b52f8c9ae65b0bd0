"""The picker of a page's period: what stands in its fields, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from outlay.domain.earlier import Compare
from outlay.domain.query import UsageQuery
from outlay.web.dashboard.asking import RANGE, refused_of

COMPARISONS: Final = {
    Compare.PREVIOUS: "Previous period",
    Compare.YEAR: "Year before",
    Compare.NONE: "None",
}
"""What is chosen with a click; a start of one's own has a field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picker:
    """The fields, and messages by field."""

    values: Mapping[str, str]
    errors: Mapping[str, str]
    compare: Compare
    comparisons: Mapping[Compare, str]


def picker_of(request: Request, query: UsageQuery) -> Picker:
    """The picker of a question; what was refused stands in it as it was entered."""
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
    if RANGE & refused.names and "preset" not in refused.entered:
        values |= {name: refused.entered.get(name, "") for name in ("from", "to")}
    values |= {
        name: refused.entered[name]
        for name in refused.names & {"timezone", "compareFrom"}
        if name in refused.entered
    }
    return Picker(
        values=values,
        errors={name: text[:1].upper() + text[1:] for name, text in refused.errors.items()},
        compare=beside.compare if beside else Compare.NONE,
        comparisons=COMPARISONS,
    )
