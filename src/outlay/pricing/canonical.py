"""The canonical model: the underlying model, whatever the route of a request.

Routes decorate a model's name with gateways, providers, regions, revisions, dates and routing
variants. Rules remove these one at a time, and only if they are complete and well-formed. Whatever
makes a different model (a size, a context window, `-mini`, `-thinking`, a fine-tune) stays. Names
that no rule covers are in `data/model_aliases.toml` and in the operator's own table.

The rules were checked against every model of genai-prices;
`docs/concepts/prices-and-meters.md` lists them in a table.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

_VENDOR: Final = (
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|"
    r"moonshotai|nvidia|openai|qwen|stability|twelvelabs|writer|zai)"
)
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_DAY: Final = r"(?:0[1-9]|[12]\d|3[01])"
_MISTRAL: Final = (
    r"(?:(?:open-)?mistral|ministral|codestral|devstral|magistral|pixtral|voxtral)(?:-.*)?"
)

_FINE_TUNE: Final = re.compile(r"(?:^|/)ft:([^:]+)")

_RULES: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # Bedrock: <region>.<vendor>.<model>-v<revision>:<minor>:<context>
        (rf"^(?:us|us-gov|eu|ap|apac|au|ca|jp|sa|global|regional)\.(?={_VENDOR}\.)", ""),
        # Mistral's v0:2 is version 0.2 of the model; Titan and Nemotron count versions with v1, v2.
        (r"^(mistral\..*-v0):(\d)$", r"\1.\2"),
        (r"^((?:amazon\.titan|nvidia\.).*-v\d)(?::\w+)+$", r"\1"),
        (rf"^(?!anthropic\.claude-v)({_VENDOR}\.[a-z].*?)(?:-v[1-9]|-1)?:\d(?::\w+)?$", r"\1"),
        (r"^(anthropic\.claude-.*\d)-v[1-9]$", r"\1"),
        (r"^deepseek\.(?!deepseek)(?=[a-z])", "deepseek-"),
        (rf"^{_VENDOR}\.(?=[a-z])", ""),
        # Routing variants of OpenRouter; `latest` is Ollama's default tag.
        (r":(?:free|nitro|floor|online|extended|exacto|beta|batch|latest)$", ""),
        # Vertex: revision after @, and its models as a service.
        (r"@(?:\d+|default|latest)$", ""),
        (r"-maas$", ""),
        # Fireworks writes 3.1 as 3p1.
        (r"(?<=\d)p(?=\d)", "."),
        (r"^llama-v(?=\d)", "llama-"),
        (r"^meta-(?=llama-\d)", ""),
        # Dates: 2024-08-06, 20250929; of previews 05-06 and 09-2025; of GPT and Grok 0613; of
        # Mistral 2411; Gemini counts its releases.
        (rf"-20\d\d-{_MONTH}-{_DAY}$", ""),
        (rf"-20\d\d{_MONTH}{_DAY}$", ""),
        (rf"(-preview|-exp)-{_MONTH}-(?:20\d\d|{_DAY})$", r"\1"),
        (rf"^((?:gpt|grok)-.*)-{_MONTH}{_DAY}$", r"\1"),
        (rf"^({_MISTRAL})-2[3-9]{_MONTH}$", r"\1"),
        (r"^(gemini-\d.*)-00\d$", r"\1"),
        # A name without a version, `gemini-pro-latest`, follows the newest model: it is not the old
        # `gemini-pro`.
        (r"^(?=.*\d)(.*)-latest$", r"\1"),
        (rf"^({_MISTRAL})-latest$", r"\1"),
        # Anthropic's names have no dots, resellers' do: claude-opus-4.5.
        (r"^(claude.*\d)\.(?=\d)", r"\1-"),
    )
)


def canonical_model(mapping: str, aliases: Mapping[str, str] | None = None) -> str:
    """The canonical model of a model id, in lower case; empty only for an empty id.

    `aliases` are the operator's. They win over all rules, ignoring case, for the whole name and for
    the name without its provider, before and after each rule.
    """
    own = _lowered(aliases) if aliases else {}
    name = mapping.strip().lower()
    seen = set()
    while name not in seen:  # Aliases may be circular.
        seen.add(name)
        name = _find_alias(name, own) or _table().get(name) or _plainer(name)
    return name


def resolve_alias(mapping: str, aliases: Mapping[str, str]) -> str:
    """The target of the operator's alias for a model id; the id itself without an alias.

    Keys of `aliases` are in lower case.
    """
    seen = set()
    while (target := _find_alias(mapping.strip().lower(), aliases)) and target not in seen:
        seen.add(target)
        mapping = target
    return mapping


def _find_alias(name: str, aliases: Mapping[str, str]) -> str | None:
    return aliases.get(name) or aliases.get(name.partition("/")[2])


def _lowered(aliases: Mapping[str, str]) -> dict[str, str]:
    return {name.strip().lower(): model.strip().lower() for name, model in aliases.items()}


@cache
def _table() -> Mapping[str, str]:
    """The aliases that come with the package."""
    text = (files("outlay.pricing") / "data" / "model_aliases.toml").read_text(encoding="utf-8")
    aliases: dict[str, str] = tomllib.loads(text)["aliases"]
    return aliases


def _plainer(name: str) -> str:
    """`name` with one decoration removed; unchanged if it has none."""
    if fine_tune := _FINE_TUNE.search(name):
        # ft:<base>:<owner>:<suffix>:<job>: a fine-tune has its own price, so it is not its base
        # model; owner and job do not make a different model.
        return f"ft:{canonical_model(fine_tune[1])}"
    if "/" in name:
        return name.rstrip("/").rpartition("/")[2].strip() or name
    for pattern, replacement in _RULES:
        plainer = pattern.sub(replacement, name).strip()
        if plainer not in {"", name}:
            return plainer
    return name


# Read at import: later there may be no file descriptor left.
_table()
