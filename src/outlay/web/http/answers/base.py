"""The base of all answer types."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, StructMeta
from typing_extensions import override


class _AnswerMeta(StructMeta):
    """Allows several bases: fields are ordered as in dataclasses, the last base's first.

    msgspec itself allows one base. The fields of several are copied into one.
    """

    @override
    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> Any:
        if len(bases) > 1:
            bases = (_joined(f"{name}Fields", bases),)
        return super().__new__(
            mcs, name, bases, namespace, **{"kw_only": True, "frozen": True, **options}
        )


class Answer(msgspec.Struct, rename="camel", metaclass=_AnswerMeta):
    """A JSON object: names in camelCase, fields that are `UNSET` are left out."""


def _joined(name: str, bases: tuple[type, ...]) -> type["Answer"]:
    """One struct with the fields of all bases."""
    found = [field for base in reversed(bases) for field in msgspec.structs.fields(base)]
    annotations = {field.name: field.type for field in found}
    specified = {
        field.name: msgspec.field(name=field.encode_name, default=field.default) for field in found
    }
    joined: type[Answer] = _AnswerMeta(
        name, (Answer,), {"__annotations__": annotations, **specified}
    )
    return joined


def _format(name: str) -> Meta:
    return Meta(extra_json_schema={"format": name})


Instant = Annotated[str, _format("date-time")]
"""RFC 3339."""
Day = Annotated[str, _format("date")]
