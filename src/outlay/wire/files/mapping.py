"""Which column of a file says what: the mapping file, and those that come with the package.

A mapping is TOML. `[fields]` names for each of our fields the column that has it, or several, of
which the first that is not empty is taken; dots lead into objects, and into columns that hold JSON.
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
"""What a column can be."""

Columns = str | list[str]


class Answers(StrEnum):
    """Whose answers a file holds."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a row that stands for requests whose number it does not say is taken apart.

    Its tokens go to as many events as it takes for none to have more input than the limit, so that
    prices by size of input apply as they did.
    """

    column: str
    limits: dict[str, int]
    """Most input tokens of one event, by value of the column."""
    otherwise: int
    """The same for all other values."""


class FileMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to read a file."""

    fields: dict[str, Columns]
    name: str = "file"
    """What imported events have as their source, `import:<name>`."""
    title: str = ""
    detect: list[str] = []
    """Columns by which a file is known to be of this format."""
    records: list[str] = []
    """Lists within lists that hold the rows of a JSON document; a row has what is around it."""
    defaults: dict[str, str] = {}
    """Values of fields that a row leaves empty."""
    only: dict[str, list[str]] = {}
    """Values by column: rows with others are passed over."""
    unused: dict[str, list[str]] = {}
    """Values by column: rows with one of them used no tokens."""
    values: dict[str, dict[str, str]] = {}
    """Our value by the file's, in lower case, for a field such as `status`."""
    identity: list[str] = []
    """Columns that tell a row from all others where it has no id; else all that it says does."""
    identity_except: dict[str, list[str]] = {}
    """More such columns, with their usual values: a row that has one of these is known without."""
    ignored: list[str] | None = None
    """Columns of counts that repeat what others say, or are not billed; a star stands for any
    letters. Where there is such a list, all other columns of counts make a row partly priced."""
    input_excludes_cache: bool = False
    """Whether cached tokens stand beside the input."""
    cache_beside: list[str] = []
    """Providers for which they do."""
    output_excludes_reasoning: bool = False
    model_until: str = ""
    """What ends the model's name within its column."""
    answers: Answers | None = None
    """Whose answers stand in the column `answer`."""
    litellm_calls: bool = False
    """Whether the column `operation` holds LiteLLM's types of calls."""
    spread: Spread | None = None


def parse_mapping(text: bytes, name: str) -> FileMapping:
    """The mapping of a TOML file; Invalid says what is wrong with it."""
    try:
        mapping = msgspec.toml.decode(text, type=FileMapping)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{name}: {error}", code=ErrorCode.MALFORMED_MAPPING) from error
    except RecursionError:
        # Not chained: its traceback would hold a thousand frames.
        raise Invalid(f"{name}: it is nested too deep", code=ErrorCode.MALFORMED_MAPPING) from None
    unknown = (mapping.fields.keys() | mapping.defaults.keys()) - FIELDS
    if unknown:
        raise Invalid(
            f"{name}: there is no field {min(unknown)!r}; there are {', '.join(sorted(FIELDS))}",
            code=ErrorCode.MALFORMED_MAPPING,
        )
    if "time" not in mapping.fields:
        raise Invalid(
            f"{name}: [fields] must say which column has the time", code=ErrorCode.MALFORMED_MAPPING
        )
    return mapping


def format_names() -> list[str]:
    """The names of the formats that are known."""
    names = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def find_mapping(name: str) -> FileMapping:
    """The mapping of a format; Invalid when there is none of that name."""
    names = format_names()
    if name not in names:
        raise Invalid(f"there is no format {name!r}; there are {', '.join(names)}", field="format")
    return parse_mapping((_folder() / f"{name}.toml").read_bytes(), name)


def detect_mapping(columns: frozenset[str]) -> FileMapping | None:
    """The format of a file with some columns, None for none that is known."""
    fitting = [
        mapping
        for mapping in map(find_mapping, format_names())
        if mapping.detect and columns.issuperset(mapping.detect)
    ]
    return max(fitting, key=lambda mapping: len(mapping.detect), default=None)


def _folder() -> Traversable:
    return files("outlay.wire.files") / "formats"
