"""The host names that the server answers to.

After it has been loaded, a foreign page can point its own name at this machine (DNS rebinding) and
then send requests here as if to its own site; they carry that name in `Host`. Such a name is never
an IP address, so addresses are always answered: probes of load balancers and orchestrators use
them.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope, Send

from outlay.kit.addresses import is_loopback_name, parse_address
from outlay.settings import Settings
from outlay.web.http.plain import send_plain

_OPEN_PATHS: Final = (b"/v1/", b"/healthz", b"/readyz")
"""Answered under every name: they reveal nothing, or require a credential that no browser adds."""


_MAX_SHOWN: Final = 100


class TrustedHosts:
    """The host names of one server."""

    def __init__(self, settings: Settings) -> None:
        named = urlsplit(settings.public_url).hostname or ""
        names = [name for name in (named, *settings.edge.trusted_hosts) if name]
        self._names = frozenset(name for name in names if not name.startswith("*."))
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*."))
        self._takes_any = settings.takes_any_host

    def takes(self, scope: Scope) -> bool:
        """Whether a request is meant for this server."""
        if self._takes_any or scope["raw_path"].startswith(_OPEN_PATHS):
            return True
        return self._is_ours(host_of(scope["headers"]))

    def _is_ours(self, host: str) -> bool:
        return (
            host in self._names
            or is_loopback_name(host)
            or parse_address(host) is not None
            or host.endswith(self._suffixes)
        )


async def refuse_host(scope: Scope, send: Send) -> None:
    """The error for a request to another host name, with how to add that name."""
    host = host_of(scope["headers"])
    body = (
        f"This server is not {host[:_MAX_SHOWN]!r}. To serve this name, set "
        "OUTLAY_PUBLIC_URL or add the name to OUTLAY_TRUSTED_HOSTS.\n"
    ).encode()
    await send_plain(send, 421, body)


def host_of(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The host in a request, in lower case and without its port; empty if there is none."""
    for name, value in headers:
        if name == b"host":
            host = value.decode("latin-1").strip().lower()
            if host.startswith("["):
                return host[1:].partition("]")[0]
            return host.partition(":")[0].removesuffix(".")
    return ""
