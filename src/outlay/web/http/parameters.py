"""Parameters of query strings, each declared once: what it means, how it is read, its schema.

    @dataclass(frozen=True, kw_only=True)
    class PeriodParams(Params):
        from_date: Annotated[date | None, Day("First local day.", name="from")] = None

`PeriodParams.of` reads a request; `Router` puts the parameters into the OpenAPI description.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, ClassVar, Self, get_type_hints

from pydantic.alias_generators import to_camel
from starlette.datastructures import QueryParams
from starlette.requests import Request
from typing_extensions import override

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import MAX_TEXT
from outlay.domain.money import AMOUNT_PATTERN
from outlay.web.http.query_strings import (
    check_names,
    read_choice,
    read_choices,
    read_date,
    read_flag,
    read_number,
    read_text,
    read_usd,
    read_word,
)

Schema = dict[str, Any]


@dataclass(frozen=True)
class Parameter(ABC):
    """A parameter of a query string."""

    meaning: str
    name: str = field(default="", kw_only=True)
    """As it is sent; by default the name of the field in camelCase."""

    @abstractmethod
    def read(self, params: QueryParams) -> object:
        """Its value; None if it is not given. Raises Invalid, saying what is wrong."""

    @abstractmethod
    def schema(self) -> Schema:
        """The JSON Schema of its values."""

    def described(self, default: object) -> Schema:
        """Its description in OpenAPI, with its default value."""
        schema = self.schema()
        if isinstance(default, str | int) and "default" not in schema:
            schema["default"] = default
        return {
            "name": self.name,
            "in": "query",
            "required": False,
            "allowEmptyValue": True,
            "description": self.meaning,
            "schema": schema,
        }


@dataclass(frozen=True, kw_only=True)
class Params:
    """The parameters of an endpoint; subclasses declare them as annotated fields."""

    _hidden: ClassVar[frozenset[str]] = frozenset()
    _parameters: ClassVar[Mapping[str, Parameter]]

    @override
    def __init_subclass__(cls, without: Iterable[str] = ()) -> None:
        """`without`: fields of bases that this endpoint does not have."""
        super().__init_subclass__()
        # Of every base: with several, each may leave out fields that another has, too.
        hidden = (base._hidden for base in cls.__bases__ if issubclass(base, Params))
        cls._hidden = frozenset(without).union(*hidden)

    @classmethod
    def parse(cls, params: QueryParams) -> Self:
        """The values in a query string, which may also have other parameters."""
        found = {name: each.read(params) for name, each in cls.parameters().items()}
        return cls(**{name: value for name, value in found.items() if value is not None})

    @classmethod
    async def of(cls, request: Request) -> Self:
        """The values in a request's query string; raises Invalid for an undeclared parameter."""
        check_names(request.query_params, cls.names())
        return cls.parse(request.query_params)

    @classmethod
    def parameters(cls) -> Mapping[str, Parameter]:
        """The declared parameters, by field."""
        if "_parameters" not in vars(cls):
            cls._parameters = _declared(cls)
        return cls._parameters

    @classmethod
    def names(cls) -> frozenset[str]:
        """The names of the parameters as they are sent."""
        return frozenset(parameter.name for parameter in cls.parameters().values())

    @classmethod
    def described(cls) -> list[Schema]:
        """The description of the parameters in OpenAPI."""
        defaults = {each.name: each.default for each in fields(cls)}
        found = [each.described(defaults[name]) for name, each in cls.parameters().items()]
        return sorted(found, key=lambda parameter: str(parameter["name"]))


def _declared(kind: type[Params]) -> Mapping[str, Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for name in (each.name for each in fields(kind)):
        for parameter in hints[name].__metadata__:
            if name not in kind._hidden and isinstance(parameter, Parameter):
                found[name] = replace(parameter, name=parameter.name or to_camel(name))
    return found


@dataclass(frozen=True)
class Text(Parameter):
    """Any text."""

    @override
    def read(self, params: QueryParams) -> str | None:
        return read_text(params, self.name)

    @override
    def schema(self) -> Schema:
        return {"type": "string"}


@dataclass(frozen=True)
class Label(Text):
    """A text that is valid in events."""

    @override
    def read(self, params: QueryParams) -> str | None:
        text = super().read(params)
        return None if text is None else checked_label(text, self.name)

    @override
    def schema(self) -> Schema:
        return {"type": "string", "maxLength": MAX_TEXT}


@dataclass(frozen=True)
class Texts(Parameter):
    """Any texts, repeatable."""

    @override
    def read(self, params: QueryParams) -> tuple[str, ...] | None:
        return tuple(params.getlist(self.name)) or None

    @override
    def schema(self) -> Schema:
        return {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True)
class Labels(Texts):
    """Several texts that are valid in events, repeatable."""

    most: int

    @override
    def read(self, params: QueryParams) -> tuple[str, ...] | None:
        texts = tuple(dict.fromkeys(params.getlist(self.name)))
        if len(texts) > self.most:
            raise Invalid(f"`{self.name}` takes 1 to {self.most} values.", field=self.name)
        return tuple(checked_label(text, self.name) for text in texts) or None

    @override
    def schema(self) -> Schema:
        return {**super().schema(), "maxItems": self.most}


@dataclass(frozen=True)
class Day(Parameter):
    """A local day."""

    @override
    def read(self, params: QueryParams) -> object:
        return read_date(params, self.name)

    @override
    def schema(self) -> Schema:
        return {"type": "string", "format": "date"}


@dataclass(frozen=True)
class Instant(Text):
    """A date and time with an offset."""

    @override
    def schema(self) -> Schema:
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True)
class Number(Parameter):
    """A whole number."""

    least: int
    most: int

    @override
    def read(self, params: QueryParams) -> int | None:
        return read_number(params, self.name, None, least=self.least, most=self.most)

    @override
    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Usd(Parameter):
    """An amount of USD, read as pico-USD."""

    @override
    def read(self, params: QueryParams) -> int | None:
        return read_usd(params, self.name)

    @override
    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{AMOUNT_PATTERN}$"}


@dataclass(frozen=True)
class Flag(Parameter):
    """True or false."""

    @override
    def read(self, params: QueryParams) -> bool | None:
        return read_flag(params, self.name)

    @override
    def schema(self) -> Schema:
        return {"type": "string", "enum": ["true", "false"]}


@dataclass(frozen=True)
class Word(Parameter):
    """One of several words."""

    words: tuple[str, ...]

    @override
    def read(self, params: QueryParams) -> str | None:
        return read_word(params, self.name, self.words)

    @override
    def schema(self) -> Schema:
        return {"type": "string", "enum": [*self.words]}


@dataclass(frozen=True)
class Direction(Parameter):
    """Whether the largest comes first."""

    @override
    def read(self, params: QueryParams) -> bool | None:
        word = read_word(params, self.name, ("asc", "desc"))
        return None if word is None else word == "desc"

    @override
    def schema(self) -> Schema:
        return {"type": "string", "enum": ["asc", "desc"], "default": "desc"}


@dataclass(frozen=True)
class Choice(Parameter):
    """A value of an enumeration."""

    kind: type[StrEnum]
    code: ErrorCode
    """Of the error for any other value."""

    @override
    def read(self, params: QueryParams) -> StrEnum | None:
        return read_choice(params, self.name, self.kind, self.code)

    @override
    def schema(self) -> Schema:
        return {"type": "string", "enum": [*self.kind]}


@dataclass(frozen=True)
class Choices(Parameter):
    """Values of an enumeration, repeatable."""

    kind: type[StrEnum]
    code: ErrorCode
    """Of the error for any other value."""

    @override
    def read(self, params: QueryParams) -> tuple[StrEnum, ...] | None:
        return read_choices(params, self.name, self.kind, self.code) or None

    @override
    def schema(self) -> Schema:
        return {"type": "array", "items": {"type": "string", "enum": [*self.kind]}}


def checked_label(text: str, name: str) -> str:
    """A text that is valid in events."""
    if len(text) > MAX_TEXT or not text.isprintable() or "\ufffd" in text:
        raise Invalid(f"`{name}` must have at most {MAX_TEXT} printable characters.", field=name)
    return text
