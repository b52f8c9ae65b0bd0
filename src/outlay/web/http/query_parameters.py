"""What the OpenAPI description says of the query strings that `params` reads."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from outlay.domain.dimension import Dimension
from outlay.domain.event import Status
from outlay.domain.measure import Rank
from outlay.domain.period import Interval, Preset
from outlay.domain.query import MAX_TOP
from outlay.web.http.params import DEFAULT_TOP, FILTERS

_DAY: Final = {"type": "string", "format": "date"}
_SCHEMAS: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "from": (_DAY, "First local day, instead of `preset`."),
    "to": (_DAY, "Last local day, inclusive."),
    "preset": (
        {"type": "string", "enum": [*Preset], "default": Preset.LAST_30_DAYS},
        "A period that moves with the clock.",
    ),
    "timezone": ({"type": "string"}, "IANA name; the organization's if not given."),
    "groupBy": (
        {"type": "string", "enum": [*Dimension], "default": Dimension.MODEL},
        "What the answer is broken down by.",
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
    "shape": (
        {"type": "string", "enum": ["breakdown", "series"], "default": "breakdown"},
        "By step, or one array per entry with the period before beside it.",
    ),
    "metric": ({"type": "string"}, "What a page showed; the file has every measure."),
}


def documented(names: Iterable[str]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads these names from its query string."""
    return {"parameters": [_parameter(name) for name in sorted(names)]}


def _parameter(name: str) -> dict[str, Any]:
    if name in FILTERS:
        item = {"type": "string"}
        if FILTERS[name] is Dimension.STATUS:
            item = {"type": "string", "enum": [*Status]}  # type: ignore[dict-item]
        schema: dict[str, Any] = {"type": "array", "items": item}
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
