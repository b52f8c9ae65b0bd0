"""JSON Schemas of answers, from their types."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from outlay.domain.measure import MEASURES
from outlay.web.http.answers.base import Answer
from outlay.wire.json_money import Money

Schema = dict[str, Any]

REFERENCE: Final = "#/components/schemas/{name}"
_MONEY: Final = {
    "type": ["number", "string"],
    "description": "USD, exact; text with `money=text`.",
}
_MEANINGS: Final[Mapping[str, str]] = {
    **{measure.api_name: measure.meaning for measure in MEASURES},
    "totalTokens": "input plus output tokens",
    "errorRate": "errorCount / (requestCount - clientErrorCount); null if the denominator is 0",
}
"""Descriptions of fields that are measures."""


def components_of(kinds: Sequence[type[Answer]]) -> dict[str, Schema]:
    """The schemas of types, and of all types they contain, by name."""
    _, components = msgspec.json.schema_components(
        kinds, schema_hook=_schema_of, ref_template=REFERENCE
    )
    for schema in components.values():
        for name, field in schema.get("properties", {}).items():
            if name in _MEANINGS and "$ref" not in field:
                field.setdefault("description", _MEANINGS[name])
    return components


def reference_to(kinds: Sequence[type[Answer]]) -> Schema:
    """A reference to the schema of an answer that is one of some types."""
    references = [{"$ref": REFERENCE.format(name=kind.__name__)} for kind in kinds]
    return references[0] if len(references) == 1 else {"anyOf": references}


def _schema_of(kind: type) -> Schema:
    if kind is Money:
        return dict(_MONEY)
    raise NotImplementedError(kind.__name__)
