"""Mapping files, which name the columns of a file format, and the bundled mappings.

A mapping is TOML. `[fields]` names the column of each field, or several columns, of which the first
non-empty one is used. Dots lead into objects, and into columns that hold JSON.
"""

from enum import StrEnum
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import msgspec

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.meter import METERS

FIELDS: Final = frozenset(
    {
        "api_key",
        "api_key_name",
        "answer",
        "app",
        "batch",
        "cache_read_input_tokens",
        "cache_write_5m_input_tokens",
        "cache_write_1h_input_tokens",
        "cache_write_input_tokens",
        "canceled",
        "cost",
        "cost_cents",
        "cost_upstream",
        "currency",
        "duration_ms",
        "duration_s",
        "end_time",
        "end_user",
        "error",
        "event_id",
        "first_token_ms",
        "first_token_time",
        "groups",
        "http_status",
        "inference_geo",
        "input_audio_seconds",
        "input_tokens",
        "model",
        "operation",
        "output_tokens",
        "project",
        "project_name",
        "provider",
        "provider_batch_id",
        "reasoning_output_tokens",
        "requests",
        "response_id",
        "response_model",
        "service_tier",
        "session_id",
        "speed",
        "status",
        "stream",
        "tags",
        "time",
        "total_tokens",
        "usage_details",
        "usage_object",
        "user",
        "user_name",
        "variant",
        *METERS,
    }
)
"""The fields that a column can be mapped to."""

Columns = str | list[str]


class Answers(StrEnum):
    """The provider API of the answers in a file."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a row that covers an unknown number of requests is split.

    Its tokens are spread over as many events as needed to keep the input of each below the limit,
    so that prices by input size apply as they did.
    """

    column: str
    limits: dict[str, int]
    """Maximum input tokens of one event, by value of the column."""
    otherwise: int
    """The limit for all other values."""


class FileMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to read a file format."""

    fields: dict[str, Columns]
    name: str = "file"
    """Imported events have the source `import:<name>`."""
    title: str = ""
    detect: list[str] = []
    """Columns by which the format is detected."""
    records: list[str] = []
    """Nested lists with the rows of a JSON document; a row also has the fields around it."""
    defaults: dict[str, str] = {}
    """Defaults of fields that a row leaves empty."""
    only: dict[str, list[str]] = {}
    """Accepted values by column; rows with other values are skipped."""
    unused: dict[str, list[str]] = {}
    """Values by column that mark rows without usage."""
    values: dict[str, dict[str, str]] = {}
    """Outlay's value by the file's value in lower case, for a field such as `status`."""
    identity: list[str] = []
    """Columns that identify a row without an id; by default all columns do."""
    identity_except: dict[str, list[str]] = {}
    """Further identifying columns with their usual values, which are left out of the identity."""
    ignored: list[str] | None = None
    """Columns of counts that repeat others or are not billed; `*` is a wildcard. With such a list,
    any other unmapped column of counts makes a row partly priced.
    """
    input_excludes_cache: bool = False
    """Whether input tokens exclude cached tokens."""
    cache_beside: list[str] = []
    """Providers for which input tokens exclude cached tokens."""
    output_excludes_reasoning: bool = False
    model_until: str = ""
    """The text that ends the model's name within its column."""
    answers: Answers | None = None
    """The provider API of the answers in the column `answer`."""
    litellm_calls: bool = False
    """Whether the column `operation` holds LiteLLM call types."""
    spread: Spread | None = None


def parse_mapping(text: bytes, name: str) -> FileMapping:
    """Parse the TOML of a mapping."""
    try:
        mapping = msgspec.toml.decode(text, type=FileMapping)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(
            f"{name} is not valid TOML: {error}.", code=ErrorCode.MALFORMED_MAPPING
        ) from error
    except RecursionError:
        # Not chained: its traceback would have a thousand frames.
        raise Invalid(f"{name} is nested too deeply.", code=ErrorCode.MALFORMED_MAPPING) from None
    unknown = (mapping.fields.keys() | mapping.defaults.keys()) - FIELDS
    if unknown:
        raise Invalid(
            f"{name} has the unknown field {min(unknown)!r}. Available: "
            f"{', '.join(sorted(FIELDS))}.",
            code=ErrorCode.MALFORMED_MAPPING,
        )
    if "time" not in mapping.fields:
        raise Invalid(
            f"{name} must name the column of the time in [fields].",
            code=ErrorCode.MALFORMED_MAPPING,
        )
    return mapping


def format_names() -> list[str]:
    """The names of the known formats."""
    names = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def find_mapping(name: str) -> FileMapping:
    """The mapping of a format; Invalid if there is none with that name."""
    names = format_names()
    if name not in names:
        raise Invalid(
            f"There is no format {name!r}. Available: {', '.join(names)}.", field="format"
        )
    return parse_mapping((_folder() / f"{name}.toml").read_bytes(), name)


def detect_mapping(columns: frozenset[str]) -> FileMapping | None:
    """The format whose columns match, None if there is none."""
    fitting = [
        mapping
        for mapping in map(find_mapping, format_names())
        if mapping.detect and columns.issuperset(mapping.detect)
    ]
    return max(fitting, key=lambda mapping: len(mapping.detect), default=None)


def _folder() -> Traversable:
    return files("outlay.wire.files") / "formats"
