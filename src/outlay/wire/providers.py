"""The route of a model: its provider, and the provider-tagged model id."""

from typing import Final

from outlay.domain.provider import find_provider

UNKNOWN: Final = "unknown"

_FAMILIES: Final = (
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("text-embedding-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("claude-", "anthropic"),
    ("gemini-", "google"),
    ("mistral-", "mistral"),
    ("deepseek-", "deepseek"),
    ("grok-", "x-ai"),
    ("command-", "cohere"),
)


def route_of(provider: str, model: str) -> tuple[str, str]:
    """Provider and model id (`openai/gpt-5.5`) of a model, with or without a provider prefix.

    Without a provider, the model's family decides; `unknown` if the family is unknown, too.
    """
    named = find_provider(provider)
    prefix, slash, rest = model.partition("/")
    if not named:
        named = find_provider(prefix) if slash and rest else _family_of(model)
    if slash and rest and find_provider(prefix) == named:
        model = rest
    return named, f"{named}/{model}" if model else ""


def _family_of(model: str) -> str:
    lowered = model.lower()
    return next((owner for start, owner in _FAMILIES if lowered.startswith(start)), UNKNOWN)
