"""The canonical model: the underlying model, whatever the route that a request took to it.

Routes decorate a model's name with gateways, providers, regions, deployment versions, dates and
routing variants. These are taken off by rules that look at whole, well-formed parts only; what
makes another model (a size, a variant such as -mini or -thinking, a fine-tune) stays. Names that
no rule can know are in the table ALIASES and in the operator's own.
"""

import re
from collections.abc import Mapping
from typing import Final

ALIASES: Final[Mapping[str, str]] = {
    # Bedrock writes the version of Claude 2 like a revision.
    "claude-v2:1": "claude-2-1",
    "claude-v2": "claude-2",
    "claude-instant-v1": "claude-instant-1",
    # Bedrock has no dots in the versions of Llama.
    "llama3-8b-instruct": "llama-3-8b-instruct",
    "llama3-70b-instruct": "llama-3-70b-instruct",
    "llama3-1-8b-instruct": "llama-3.1-8b-instruct",
    "llama3-1-70b-instruct": "llama-3.1-70b-instruct",
    "llama3-1-405b-instruct": "llama-3.1-405b-instruct",
    "llama3-2-1b-instruct": "llama-3.2-1b-instruct",
    "llama3-2-3b-instruct": "llama-3.2-3b-instruct",
    "llama3-2-11b-instruct": "llama-3.2-11b-instruct",
    "llama3-2-90b-instruct": "llama-3.2-90b-instruct",
    "llama3-3-70b-instruct": "llama-3.3-70b-instruct",
    "llama-v3p1-8b-instruct": "llama-3.1-8b-instruct",
    "llama-v3p1-70b-instruct": "llama-3.1-70b-instruct",
    "llama-v3p1-405b-instruct": "llama-3.1-405b-instruct",
    "llama-v3p3-70b-instruct": "llama-3.3-70b-instruct",
    # Azure's deployments are usually called so.
    "gpt-35-turbo": "gpt-3.5-turbo",
    "gpt-35-turbo-16k": "gpt-3.5-turbo-16k",
}

_BEDROCK: Final = re.compile(
    r"(?:(?:us|eu|ap|apac|au|ca|jp|sa|global|us-gov)\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|"
    r"moonshotai|nvidia|openai|qwen|stability|twelvelabs|writer|zai)\.(?=[a-z])(.+)"
)
_BEDROCK_REVISION: Final = re.compile(r"-(?:v\d+|\d+)(?::\d+)(?::\w+)?$|-v\d+$")
_ROUTING_VARIANT: Final = re.compile(r":(?:free|nitro|floor|online|extended|exacto|beta|latest)$")
_VERTEX_REVISION: Final = re.compile(r"@(?:\d+|default|latest)$")
_ISO_DATE: Final = re.compile(r"-20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$")
_COMPACT_DATE: Final = re.compile(r"-20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$")
_PREVIEW_DATE: Final = re.compile(
    r"(?<=-preview|....-exp)-(?:(?:0[1-9]|1[0-2])-(?:20\d\d|0[1-9]|[12]\d|3[01]))$"
)
_MONTH_DAY: Final = re.compile(r"^((?:gpt|grok)-.*)-(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$")
_YEAR_MONTH: Final = re.compile(
    r"^((?:mistral|ministral|codestral|pixtral|devstral|magistral|voxtral|open-mistral)(?:-.*)?)"
    r"-2[3-9](?:0[1-9]|1[0-2])$"
)
_LATEST: Final = re.compile(r"-latest$")
_CLAUDE_DOT: Final = re.compile(r"(?<=\d)\.(?=\d)")

MAX_ALIASES: Final = 4
"""Aliases followed one after the other; more is a circle."""


def canonical_model(mapping: str, aliases: Mapping[str, str] | None = None) -> str:
    """The canonical model behind a mapping; never empty for a name that is not.

    `aliases` are the operator's, with lower-case keys; they win, for the whole mapping or for it
    without its provider.
    """
    name = mapping.strip().lower()
    followed = 0
    while True:
        alias = _find_alias(name, aliases) if followed < MAX_ALIASES else None
        followed += alias is not None
        # Undecorating only ever shortens, so this ends; aliases could lead in a circle.
        following = (alias or _undecorated(name)).strip().lower()
        if not following or following == name:
            return name or mapping.strip()
        name = following


def _find_alias(name: str, aliases: Mapping[str, str] | None) -> str | None:
    if aliases:
        found = aliases.get(name) or aliases.get(name.partition("/")[2])
        if found is not None:
            return found
    return ALIASES.get(name)


def _undecorated(name: str) -> str:
    """One round of taking decorations off."""
    name = name.rpartition("/")[2] or name.strip("/")
    if name.startswith("ft:"):
        # ft:<base>:<owner>:<suffix>:<job>: a fine-tune has a price of its own, so it stays apart
        # from its base; owner and job do not make another model.
        base = name.split(":")[1]
        return f"ft:{canonical_model(base)}" if base else name
    if bedrock := _BEDROCK.fullmatch(name):
        name = bedrock[1]
        if name not in ALIASES:
            name = _BEDROCK_REVISION.sub("", name)
    for decoration in (
        _ROUTING_VARIANT,
        _VERTEX_REVISION,
        _LATEST,
        _ISO_DATE,
        _COMPACT_DATE,
        _PREVIEW_DATE,
    ):
        name = decoration.sub("", name) or name
    for dated in (_MONTH_DAY, _YEAR_MONTH):
        if match := dated.fullmatch(name):
            name = match[1]
    if name.startswith("claude"):
        name = _CLAUDE_DOT.sub("-", name)
    return name
