"""Who and what is behind a request, as its headers claim.

The names are those that applications already send to gateways: our own, LiteLLM's, Helicone's and
OpenRouter's. Nothing in here can make a request fail.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from outlay.wire.answer import text_of

Headers = Mapping[bytes, bytes]
"""Header values by name in lower case; of a repeated header the first."""

_USER: Final = (
    b"x-outlay-user",
    b"x-litellm-customer-id",
    b"x-litellm-end-user-id",
    b"helicone-user-id",
)
_APP: Final = (b"x-outlay-app", b"x-openrouter-title", b"x-title", b"helicone-property-app")

# The family of a User-Agent, most telling first; others are their first product name.
_AGENTS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"\bclaude-cli/|\bclaude-code\b", "Claude Code"),
        (r"\bcodex[_-]", "Codex"),
        (r"\bopencode/", "opencode"),
        (r"\bcursor/", "Cursor"),
        (r"\baider/", "Aider"),
        (r"\blitellm/", "LiteLLM"),
        (r"\blangchain", "LangChain"),
        (r"^(?:async)?openai/python", "OpenAI Python"),
        (r"^openai/js", "OpenAI JavaScript"),
        (r"^(?:async)?anthropic/python", "Anthropic Python"),
        (r"^anthropic/js", "Anthropic JavaScript"),
        (r"^mozilla/", "Browser"),
    )
)
_PRODUCT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Caller:
    """The claims of a request about itself; empty where it makes none."""

    user: str = ""
    app: str = ""
    groups: tuple[str, ...] = ()


def read_caller(headers: Headers) -> Caller:
    """The claims in the headers of a request."""
    groups = _text(headers, b"x-outlay-groups")
    return Caller(
        user=_first(headers, _USER),
        app=_first(headers, _APP) or _site(headers) or _family(_text(headers, b"user-agent")),
        groups=tuple(part.strip() for part in groups.split(",") if part.strip()),
    )


def _first(headers: Headers, names: tuple[bytes, ...]) -> str:
    for name in names:
        if name in headers and (value := _text(headers, name)):
            return value
    return ""


def _text(headers: Headers, name: bytes) -> str:
    value = headers.get(name)
    if not value:
        return ""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text_of(text.strip())


def _site(headers: Headers) -> str:
    """The host that a page's requests come from."""
    if not (value := _text(headers, b"http-referer") or _text(headers, b"referer")):
        return ""
    try:
        return (urlsplit(value).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


@lru_cache(maxsize=4096)
def _family(agent: str) -> str:
    for pattern, name in _AGENTS:
        if pattern.search(agent):
            return name
    product = _PRODUCT.match(agent)
    return product[0].strip() if product else ""
