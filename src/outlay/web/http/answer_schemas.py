"""What answers look like, for programs that generate clients: read off the examples."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

NEVER_NULL: Final = frozenset({"key", "label", "kind", "date", "start", "end"})


def schema_of(example: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of answers of which one is given.

    An example does not show what others leave out: no property is required, and most may be null.
    """
    return {**_schema(example, ""), "type": "object"}


def _schema(value: Any, name: str) -> dict[str, Any]:
    if isinstance(value, Mapping):
        properties = {key: _schema(part, key) for key, part in value.items()}
        return {"type": ["object", "null"], "properties": properties}
    if isinstance(value, list):
        return {"type": "array", "items": _schema(_merged(value), name) if value else {}}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int) and name.endswith(("Count", "Tokens")):
        return {"type": "integer"}
    if isinstance(value, int | float):
        # Amounts are text where the request says `money=text`.
        is_money = name.startswith("cost") or name.endswith("Cost")
        return {"type": ["number", "string", "null"] if is_money else ["number", "null"]}
    if isinstance(value, str):
        return {"type": "string" if name in NEVER_NULL else ["string", "null"]}
    return {}


def _merged(values: Sequence[Any]) -> Any:
    """One element with the properties of all."""
    if not all(isinstance(value, Mapping) for value in values):
        return values[0]
    whole: dict[str, Any] = {}
    for value in values:
        whole |= {key: part for key, part in value.items() if whole.get(key) in (None, [])}
    return whole
