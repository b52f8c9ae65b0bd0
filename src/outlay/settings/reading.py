"""Reading the settings: from options, the environment, files of secrets, and defaults."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_type_hints
from urllib.parse import urlsplit

from typing_extensions import override

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.kit.egress import Egress
from outlay.settings.types import Form, LogSettings, Variable
from outlay.settings.values import EdgeSettings, ProxySettings, Settings

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_settings import BaseSettings

SECRETS_DIR: Final = "OUTLAY_SECRETS_DIR"
"""Names a folder with a file per setting, the way container platforms mount secrets."""

CLI_VARIABLES: Final = frozenset(
    {"OUTLAY_OWNER_PASSWORD", "OUTLAY_SSO_SECRET", "OUTLAY_UPSTREAM_SECRET"}
)
"""Variables that single commands read; these are not settings."""

REDACTED: Final = "********"


class Origin(StrEnum):
    """Where the value of a setting comes from; each takes precedence over those below it."""

    OPTION = "option"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


class Declared(NamedTuple):
    """A setting as declared."""

    group: type
    field: str
    annotation: Any
    default: Any
    variable: Variable
    form: Form

    @property
    def default_text(self) -> str:
        """The default with its unit, in words."""
        if self.variable.default:
            return self.variable.default
        unit = f" {self.form.unit}" if self.form.unit else ""
        return f"{self.render(self.default)}{unit}"

    def render(self, value: object) -> str:
        """A value as it would be written in its variable; for a secret, only the part that may be
        shown."""
        if value is None:
            return self.form.none
        return _redacted(str(value)) if self.variable.is_secret else _render(value)


@dataclass(frozen=True, slots=True)
class Effective:
    """The effective value of a setting, for display: no secrets."""

    declared: Declared
    value: str
    """Empty if nothing is set."""
    origin: Origin


@dataclass(frozen=True, slots=True)
class Explanation:
    """All settings in effect, and warnings about the configuration."""

    settings: list[Effective]
    warnings: tuple[str, ...]


class _Reading(NamedTuple):
    settings: Settings
    origins: dict[str, Origin]


def read_settings(
    *,
    data: Path | str | None = None,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from options, the environment, files of secrets, then defaults.

    Raises Invalid, naming every invalid variable and what it must be.
    """
    options = {"OUTLAY_DATA": data, "OUTLAY_HOST": host, "OUTLAY_WORKERS": workers}
    given: dict[str, Any] = {name: value for name, value in options.items() if value}
    if port is not None:
        given["OUTLAY_PORT"] = port
    return _read(given, environment).settings


def explain_settings(
    *, data: Path | str | None = None, environment: Mapping[str, str] | None = None
) -> Explanation:
    """The settings in effect with their origins. Raises Invalid like `read_settings`."""
    settings, origins = _read({"OUTLAY_DATA": data} if data else {}, environment)
    groups = {Settings: settings, ProxySettings: settings.proxy, EdgeSettings: settings.edge}
    effective = []
    for declared in declared_settings():
        text = declared.render(getattr(groups[declared.group], declared.field))
        effective.append(Effective(declared, text, origins[declared.field]))
    return Explanation(effective, settings.warnings)


@cache
def declared_settings() -> tuple[Declared, ...]:
    """Every setting that has a variable, in order of declaration."""
    return tuple(
        found for group in (Settings, ProxySettings, EdgeSettings) for found in _declared(group)
    )


def _declared(group: type) -> Iterator[Declared]:
    hints = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        metadata = getattr(hints[field.name], "__metadata__", ())
        found = {type(item): item for item in metadata}
        if Variable in found:
            yield Declared(
                group,
                field.name,
                hints[field.name],
                field.default,
                found[Variable],
                found[Form],
            )


def _render(value: object) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:g}"
        case tuple():
            return ",".join(map(str, value))
        case Egress():
            return "allow" if value.is_private_open else _render(value.exceptions) or "refuse"
        case LogSettings():
            return f"{value.level},json" if value.is_json else value.level.value
        case _:
            return str(value)


def _read(options: Mapping[str, Any], environment: Mapping[str, str] | None) -> _Reading:
    # Imported here, because `outlay --help` reads no settings.
    from pydantic import ValidationError

    variables = os.environ if environment is None else environment  # noqa: TID251 - the one reader
    model = _model(dict(variables), _secrets_dir(variables))
    try:
        read = model(**options)
    except ValidationError as error:
        raise _invalid(error, variables) from None  # its text would contain the secrets
    values: dict[type, dict[str, Any]] = {Settings: {}, ProxySettings: {}, EdgeSettings: {}}
    for declared in declared_settings():
        if declared.field in read.model_fields_set or declared.default is dataclasses.MISSING:
            values[declared.group][declared.field] = getattr(read, declared.field)
    settings = Settings(
        **values[Settings],
        proxy=ProxySettings(**values[ProxySettings]),
        edge=EdgeSettings(**values[EdgeSettings]),
        warnings=tuple(_warnings(variables)),
    )
    origins = {
        declared.field: _origin(declared, options, variables, read.model_fields_set)
        for declared in declared_settings()
    }
    return _Reading(settings, origins)


def _origin(
    declared: Declared,
    options: Mapping[str, Any],
    variables: Mapping[str, str],
    given: Iterable[str],
) -> Origin:
    variable = declared.variable
    if declared.field not in given:
        return Origin.DEFAULT
    if variable.name in options:
        return Origin.OPTION
    is_named = variables.get(variable.name) or variables.get(variable.old_name)
    return Origin.ENVIRONMENT if is_named else Origin.FILE


def _secrets_dir(variables: Mapping[str, str]) -> Path | None:
    text = variables.get(SECRETS_DIR)
    if not text:
        return None
    folder = Path(text)
    if not folder.is_dir():
        raise Invalid(
            f"{SECRETS_DIR} must be an existing folder, not {text!r}.", code=ErrorCode.SETTINGS
        )
    return folder


def _model(variables: Mapping[str, str], secrets: Path | None) -> "type[BaseSettings]":
    """The declared settings as a pydantic model that reads these variables and files."""
    from pydantic import AliasChoices, Field, create_model
    from pydantic_settings import (
        BaseSettings,
        EnvSettingsSource,
        PydanticBaseSettingsSource,
        SecretsSettingsSource,
        SettingsConfigDict,
    )

    class Environment(EnvSettingsSource):
        @override
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name: value for name, value in variables.items() if value}

    class Base(BaseSettings):
        model_config = SettingsConfigDict(
            case_sensitive=True, enable_decoding=False, validate_default=False, extra="ignore"
        )

        @classmethod
        @override
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            files = SecretsSettingsSource(settings_cls, secrets, case_sensitive=False)
            return init_settings, Environment(settings_cls), files

    fields: dict[str, Any] = {}
    for declared in declared_settings():
        variable = declared.variable
        names = [name for name in (variable.name, variable.old_name) if name]
        is_required = declared.default is dataclasses.MISSING
        default: Any = variable.default if is_required else declared.default
        fields[declared.field] = (
            declared.annotation,
            Field(
                default=default,
                validate_default=is_required,
                validation_alias=AliasChoices(*names),
            ),
        )
    return create_model("Environment", __base__=Base, **fields)


def _invalid(error: "ValidationError", variables: Mapping[str, str]) -> Invalid:
    faults = error.errors(include_url=False)
    sentences = list(dict.fromkeys(_sentence(fault, variables) for fault in faults))
    if len(sentences) == 1:
        return Invalid(sentences[0], code=ErrorCode.SETTINGS)
    listed = "\n".join(f"  {sentence}" for sentence in sentences)
    return Invalid(f"{len(sentences)} settings are wrong:\n{listed}", code=ErrorCode.SETTINGS)


def _sentence(fault: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    """What a variable must be and what it is instead, without values that may contain a secret."""
    place = str(fault["loc"][0])
    declared = next(
        each for each in declared_settings() if place in {each.field, each.variable.name}
    )
    variable = declared.variable
    is_old = variables.get(variable.old_name) and not variables.get(variable.name)
    name = variable.old_name if is_old else variable.name
    sentence = f"{name} must {declared.form.must}{_bounds(declared)}"
    if variable.is_secret:
        return f"{sentence}."
    why = fault.get("ctx", {}).get("error")
    reason = f": {why}" if fault["type"] == "value_error" and str(why) else ""
    return f"{sentence}, not {fault['input']!r}{reason}."


def _bounds(declared: Declared) -> str:
    """The bounds of a number in words, from its type."""
    constraints = declared.annotation.__metadata__[0]
    bounds = {
        name: value
        for item in getattr(constraints, "metadata", ())
        for name in ("ge", "gt", "le")
        if (value := getattr(item, name, None)) is not None
    }
    if "gt" in bounds:
        return f" above {bounds['gt']}, at most {bounds['le']}"
    return f" from {bounds['ge']} to {bounds['le']}" if bounds else ""


def _redacted(text: str) -> str:
    """The part of a secret that may be shown: of a URL, the host and the name of the database."""
    if "://" not in text:
        return REDACTED if text else ""
    try:
        parts = urlsplit(text)
        host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return REDACTED
    user = f"{REDACTED}@" if "@" in parts.netloc else ""
    query = f"?{REDACTED}" if parts.query else ""
    return f"{parts.scheme}://{user}{host}{parts.path}{query}"


def _warnings(variables: Mapping[str, str]) -> Iterator[str]:
    known = {SECRETS_DIR} | CLI_VARIABLES
    for declared in declared_settings():
        name, old = declared.variable.name, declared.variable.old_name
        known |= {name, old}
        if old and variables.get(old):
            yield f"{old} is deprecated and will be removed; rename it to {name}"
    for name in sorted(variables):
        # Kubernetes adds OUTLAY_SERVICE_HOST, OUTLAY_PORT_… for a service that is called outlay.
        if name.startswith("OUTLAY_") and name not in known and not name.startswith(_KUBERNETES):
            yield f"{name} is not a setting of Outlay; `outlay config` lists all settings"


_KUBERNETES: Final = ("OUTLAY_SERVICE_", "OUTLAY_PORT_")
