"""The addresses of this installation, as far as it knows them."""

from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult, urlsplit

from outlay.kit.addresses import is_loopback_name
from outlay.services.server_info import find_server
from outlay.settings import Settings

_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
_PORTS: Final = {"http": 80, "https": 443}


class OwnAddress:
    """The public URL and the listening address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = replace(settings, worker=0)  # the same for all workers

    def includes(self, url: str) -> bool:
        """Whether a URL leads to this installation."""
        server = find_server(self._settings)
        known = (self._settings.public_url, server.url if server else "")
        asked = urlsplit(url)
        return any(_is_same(urlsplit(own), asked) for own in known if own)


def is_configured_address(settings: Settings, url: str) -> bool:
    """Whether a URL leads to a server with these settings, also before it runs.

    A port that is chosen when the server starts is not known here.
    """
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    known = (settings.public_url, f"http://{host}:{settings.port}" if settings.port else "")
    asked = urlsplit(url)
    return any(_is_same(urlsplit(own), asked) for own in known if own)


def _is_same(own: SplitResult, asked: SplitResult) -> bool:
    ports = {parts.port or _PORTS.get(parts.scheme) for parts in (own, asked)}
    return len(ports) == 1 and _machine(own.hostname) == _machine(asked.hostname)


def _machine(host: str | None) -> str:
    """A host as written; all names and addresses of this machine become one."""
    name = (host or "").removesuffix(".").lower()
    return "localhost" if is_loopback_name(name) or name in _ANY else name
