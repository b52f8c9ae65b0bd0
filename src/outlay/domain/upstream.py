"""Upstreams: the configured endpoints of providers, and model mappings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from outlay.domain.ids import OrganizationId, UpstreamId

BASE_URLS: Final[Mapping[str, str]] = {
    "anthropic": "https://api.anthropic.com/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "vllm": "http://127.0.0.1:8000/v1",
}
"""Base URLs of the known providers; the part of the request path after `/v1` is appended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """An endpoint that requests are relayed to, without its secret."""

    upstream_id: UpstreamId
    organization_id: OrganizationId
    name: str
    """The prefix in model names, `openai` in `openai/gpt-5.5`."""
    provider: str
    """The provider whose prices apply."""
    base_url: str
    hint: str = ""
    """The end of its secret, for recognition; empty without a secret."""
    asks_usage: bool = True
    """Whether usage of streams is requested with `stream_options`, which some endpoints reject."""
    created_at_us: int = field(default=0, compare=False)

    @property
    def place(self) -> str:
        """The associated data that its sealed secret is bound to: a secret is sent only to the
        endpoint it was entered for.
        """
        parts = (self.organization_id, self.upstream_id, self.provider, self.base_url)
        return "|".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMapping:
    """An organization's own name for a model of an upstream."""

    organization_id: OrganizationId
    name: str
    upstream_id: UpstreamId
    model: str
    """The upstream's name of the model."""
    created_at_us: int = field(default=0, compare=False)
