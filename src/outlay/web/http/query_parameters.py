"""What the OpenAPI description says of the query strings that `params` reads."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from outlay.domain.comparison_period import Compare
from outlay.domain.dimension import OF_CELLS, Dimension
from outlay.domain.event import Status
from outlay.domain.measure import Rank
from outlay.domain.period import PRESETS_BY_NAME, Interval, Preset
from outlay.domain.query import MAX_TOP
from outlay.services.analytics.exports import ReportFormat
from outlay.services.analytics.usage_tables import MAX_PAGE_SIZE, UserSort
from outlay.web.http.params import ANY_TAG, DEFAULT_TOP, FILTERS
from outlay.wire.json_money import MoneyStyle

_DIMENSIONS: Final = "|".join([*OF_CELLS, "tag:[a-z][a-z0-9_.-]{0,39}"])
_MANY: Final = {"type": "array", "items": {"type": "string"}}
_DAY: Final = {"type": "string", "format": "date"}


def _any_case(text: str) -> str:
    """A pattern of a word in whatever case."""
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in text)


_SCHEMAS: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "from": (_DAY, "First local day, instead of `preset`."),
    "to": (_DAY, "Last local day, inclusive."),
    "preset": (
        {
            "type": "string",
            "pattern": f"^({'|'.join(map(_any_case, PRESETS_BY_NAME))})$",
            "default": Preset.LAST_30_DAYS,
            "example": Preset.LAST_MONTH,
        },
        f"A period that moves with the clock: one of {', '.join(Preset)}. Case does not matter "
        "(`24H`, `All`), and `1M` is `30d`; `meta.preset` has the name as it stands here.",
    ),
    "timezone": ({"type": "string"}, "IANA name; the organization's if not given."),
    "groupBy": (
        {
            "type": "string",
            "pattern": f"^(kind|({_DIMENSIONS})(,({_DIMENSIONS}))*)$",
            "default": Dimension.MODEL,
            "example": "user,model",
        },
        "What the answer is broken down by, "
        f"one or two of {', '.join(OF_CELLS)}; reports take any number. `kind`, the kind of usage, "
        "stands alone; `tag:team` is the dimension of a registered tag.",
    ),
    ANY_TAG: (
        _MANY,
        "Filter by the values of a registered tag, which is named in place of `key`, "
        "`tag:team=search`; repeatable: values of one are alternatives.",
    ),
    "bucket": (
        {
            "type": "string",
            "enum": ["auto", *(step for step in Interval if step is not Interval.TOTAL)],
            "default": "auto",
        },
        "The length of a step.",
    ),
    "top": (
        {"type": "integer", "minimum": 1, "maximum": MAX_TOP, "default": DEFAULT_TOP},
        "How many entries stand for themselves; the rest is Other.",
    ),
    "rankBy": ({"type": "string", "enum": [*Rank], "default": Rank.COST}, "What decides who is."),
    "compare": (
        {"type": "string", "enum": [*Compare]},
        "Sets an earlier period beside this one, step by step: `previous` is the calendar "
        "predecessor of a calendar period and as many days just before any other, `year` the "
        "same dates a year before.",
    ),
    "compareFrom": (_DAY, "First local day of that period, with compare=custom."),
    "shape": (
        {"type": "string", "enum": ["breakdown", "series"], "default": "breakdown"},
        "By step, or one array per entry with the period before beside it.",
    ),
    "sort": ({"type": "string", "enum": [*UserSort], "default": UserSort.COST}, "The column."),
    "order": ({"type": "string", "enum": ["asc", "desc"], "default": "desc"}, "Its direction."),
    "search": ({"type": "string"}, "Part of a name, address or id."),
    "page": ({"type": "integer", "minimum": 1, "default": 1}, "Which page."),
    "pageSize": (
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": 50},
        "Rows per page.",
    ),
    "selected": (_MANY, "Ids of users whose totals are wanted, whatever the page; repeatable."),
    "limit": ({"type": "integer", "minimum": 1}, "Most entries of a page."),
    "cursor": ({"type": "string"}, "`next` of the page before."),
    "minLatencyMs": ({"type": "integer", "minimum": 0}, "Only what took at least so long."),
    "minCost": (
        {"type": "string", "pattern": r"^[0-9]{1,7}(\.[0-9]{1,12})?$"},
        "Only what cost at least so much, USD.",
    ),
    "format": (
        {"type": "string", "enum": [*ReportFormat], "default": ReportFormat.CSV},
        "What the file is.",
    ),
    "money": (
        {"type": "string", "enum": [*MoneyStyle], "default": MoneyStyle.NUMBER},
        "Amounts as exact decimal numbers, or as the same digits in text.",
    ),
    "trailer": (
        {"type": "string", "enum": ["last", "none"], "default": "last"},
        "Whether the file ends with its trailer; without one it stands in `Outlay-Trailer`.",
    ),
    "metrics": ({"type": "string"}, "Measures by their names in JSON, separated by commas."),
}


def documented(
    names: Iterable[str], schemas: Mapping[str, tuple[dict[str, Any], str]] = MappingProxyType({})
) -> dict[str, Any]:
    """`openapi_extra` of a route that reads these names from its query string.

    `schemas` has those names that mean something else to this route.
    """
    return {"parameters": [_parameter(name, schemas.get(name)) for name in sorted(names)]}


def _parameter(name: str, own: tuple[dict[str, Any], str] | None) -> dict[str, Any]:
    if own is not None:
        schema, meaning = own
    elif name in FILTERS:
        item = {"type": "string"}
        if FILTERS[name] is Dimension.STATUS:
            item = {"type": "string", "enum": [*Status]}  # type: ignore[dict-item]
        schema = {"type": "array", "items": item}
        meaning = "Filter, repeatable: values of one are alternatives."
    else:
        schema, meaning = _SCHEMAS[name]
    return {
        "name": name,
        "in": "query",
        "required": False,
        "allowEmptyValue": True,
        "description": meaning,
        "schema": schema,
    }
