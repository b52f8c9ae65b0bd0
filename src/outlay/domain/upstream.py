"""Upstreams: the configured endpoints of providers, and what models are called."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from outlay.domain.ids import OrganizationId

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
"""Where the known providers answer; what follows `/v1` in our own paths is appended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """An endpoint that requests are sent to. Its secret is not part of it."""

    upstream_id: str
    organization_id: OrganizationId
    name: str
    """What callers put before the slash, `openai` in `openai/gpt-5.5`."""
    provider: str
    """Whose prices apply."""
    base_url: str
    hint: str = ""
    """The end of its secret, to recognise it by; empty when it has none."""
    asks_usage: bool = True
    """Whether streams are asked for their usage with `stream_options`, which some refuse."""
    created_at_us: int = field(default=0, compare=False)

    @property
    def place(self) -> str:
        """What its sealed secret is bound to: a secret is only ever sent where it was meant for."""
        parts = (self.organization_id, self.upstream_id, self.provider, self.base_url)
        return "|".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMapping:
    """A name of the organization's own for a model of an upstream."""

    organization_id: OrganizationId
    name: str
    upstream_id: str
    model: str
    """What the upstream calls the model."""
    created_at_us: int = field(default=0, compare=False)
