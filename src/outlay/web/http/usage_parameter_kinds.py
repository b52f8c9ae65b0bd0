"""Kinds of query parameters about periods, dimensions and filters."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from starlette.datastructures import QueryParams
from typing_extensions import override

from outlay.domain.dimension import OF_CELLS, Dimension, Grouping
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import Status
from outlay.domain.period import PRESETS_BY_NAME, Interval, Preset
from outlay.domain.tag import PREFIX, Tag
from outlay.web.http.parameters import Parameter, Schema
from outlay.web.http.query_strings import (
    ANY_TAG,
    parse_choice,
    read_choice,
    read_dimension,
    read_groupings,
    read_text,
)


@dataclass(frozen=True)
class PresetName(Parameter):
    """A named period, in any case.

    Its schema has no default: generated clients would send it together with `from` and `to`.
    """

    @override
    def read(self, params: QueryParams) -> Preset | None:
        text = read_text(params, self.name)
        if text is None:
            return None
        return PRESETS_BY_NAME.get(text.lower()) or parse_choice(
            text, self.name, Preset, ErrorCode.UNKNOWN_PRESET
        )

    @override
    def schema(self) -> Schema:
        return {
            "type": "string",
            "pattern": f"^({'|'.join(map(_any_case, PRESETS_BY_NAME))})$",
            "example": Preset.LAST_MONTH,
        }


@dataclass(frozen=True)
class Bucket(Parameter):
    """The length of a step."""

    @override
    def read(self, params: QueryParams) -> Interval | Literal["auto"] | None:
        if read_text(params, self.name) == "auto":
            return "auto"
        interval = read_choice(params, self.name, Interval, ErrorCode.UNKNOWN_BUCKET)
        if interval is Interval.TOTAL:
            words = ", ".join(self.schema()["enum"])
            raise Invalid(f"`{self.name}` must be one of {words}.", field=self.name)
        return interval

    @override
    def schema(self) -> Schema:
        steps = (step for step in Interval if step is not Interval.TOTAL)
        return {"type": "string", "enum": ["auto", *steps]}


@dataclass(frozen=True)
class Groupings(Parameter):
    """Dimensions, separated by commas."""

    @override
    def read(self, params: QueryParams) -> object:
        return read_groupings(params, self.name) or None

    @override
    def schema(self) -> Schema:
        return {
            "type": "string",
            "pattern": f"^(kind|({_DIMENSIONS})(,({_DIMENSIONS}))*)$",
            "example": "user,model",
        }


@dataclass(frozen=True)
class OneDimension(Parameter):
    """One of a few dimensions."""

    offered: Collection[Dimension]
    default: Dimension

    @override
    def read(self, params: QueryParams) -> Dimension:
        return read_dimension(params, self.offered, self.default)

    @override
    def schema(self) -> Schema:
        return {"type": "string", "enum": [*self.offered], "default": self.default}


@dataclass(frozen=True)
class Filter(Parameter):
    """Values of a dimension, repeatable. An empty one selects usage without a value."""

    dimension: Dimension

    @override
    def read(self, params: QueryParams) -> tuple[str, ...] | None:
        values = tuple(dict.fromkeys(params.getlist(self.name)))
        if self.dimension is Dimension.STATUS:
            for value in values:
                parse_choice(value, self.name, Status, ErrorCode.UNKNOWN_STATUS)
        return values or None

    @override
    def schema(self) -> Schema:
        item: Schema = {"type": "string"}
        if self.dimension is Dimension.STATUS:
            item["enum"] = [*Status]
        return {"type": "array", "items": item}


@dataclass(frozen=True)
class TagFilters(Parameter):
    """Values of registered tags, by tag; repeatable."""

    name: str = field(default=ANY_TAG, kw_only=True)

    @override
    def read(self, params: QueryParams) -> Mapping[Grouping, tuple[str, ...]]:
        return {
            Tag(name.removeprefix(PREFIX)): tuple(dict.fromkeys(params.getlist(name)))
            for name in params
            if name.startswith(PREFIX)
        }

    @override
    def schema(self) -> Schema:
        return {"type": "array", "items": {"type": "string"}}


_DIMENSIONS: Final = "|".join([*OF_CELLS, "tag:[a-z][a-z0-9_.-]{0,39}"])


def _any_case(text: str) -> str:
    """A pattern for a word in any case."""
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in text)
