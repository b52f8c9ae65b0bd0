"""Headers of proxies in front of this server: the client's address and scheme."""

from collections.abc import Sequence

from starlette.types import Scope

from outlay.kit.addresses import Network, is_among, origin_of


def see_behind_proxies(scope: Scope, trusted: Sequence[Network]) -> None:
    """Put the real client and scheme into a request, if the peer may state them.

    `Forwarded` (RFC 7239) is not read: a proxy that writes one of the two headers passes on
    whatever a client writes into the other.
    """
    peer = scope["client"][0] if scope.get("client") else ""
    if not is_among(peer, trusted):
        return
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    origin = origin_of(peer, [value.decode("latin-1") for value in said], trusted)
    scope["client"] = (origin, 0)
    schemes = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    if schemes and schemes[-1].strip().lower() in (b"http", b"https"):
        scope["scheme"] = schemes[-1].strip().lower().decode()
