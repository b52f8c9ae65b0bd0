"""The stored form of a price context, which selects a price variant: `service_tier=flex`."""

from collections.abc import Mapping
from urllib.parse import unquote


def render_context(context: Mapping[str, str]) -> str:
    """The stored form of a price context: `key=value`, sorted, comma-separated."""
    if not context:
        return ""
    return ",".join(f"{_quote(key)}={_quote(context[key])}" for key in sorted(context))


def read_context(text: str) -> dict[str, str]:
    """The price context of the stored form."""
    pairs = (part.partition("=") for part in text.split(",")) if text else ()
    return {unquote(key): unquote(value) for key, _, value in pairs}


def _quote(text: str) -> str:
    """A part of a price context, without separator characters."""
    return text.replace("%", "%25").replace(",", "%2C").replace("=", "%3D")
