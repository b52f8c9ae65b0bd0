"""Network addresses: the client of a proxied request, and grouping of addresses by client."""

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_HOPS: Final = 16
"""Maximum number of proxies that are skipped."""

_V6_CUSTOMER: Final = 64
"""The bits of an IPv6 address that identify one customer; customers choose the others
themselves.
"""


def parse_networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas or spaces; raises ValueError for anything
    else."""
    return tuple(ip_network(word, strict=False) for word in text.replace(",", " ").split())


def parse_address(text: str) -> Address | None:
    """An address, optionally with a port or in brackets; None for anything else."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_among(text: str, networks: Iterable[Network]) -> bool:
    """Whether an address belongs to one of some networks."""
    address = parse_address(text)
    return address is not None and any(address in network for network in networks)


def origin_of(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The client of a request: the rightmost address that is not a trusted proxy.

    `forwarded_for` are the values of `X-Forwarded-For`, in order. They are read from the right, and
    only as long as their writer is trusted, because clients can send any values to the left.
    """
    origin = peer
    names = [name for value in forwarded_for for name in value.split(",")]
    for name in reversed(names[-MAX_HOPS:]):
        if not is_among(origin, trusted):
            break
        address = parse_address(name)
        if address is None:
            break
        origin = str(address)
    return origin


def neighbourhood_of(text: str) -> str:
    """The common prefix of a client's addresses: all of IPv4, the first 64 bits of IPv6."""
    address = parse_address(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _V6_CUSTOMER), strict=False))
    return text if address is None else str(address)


def is_loopback_name(host: str) -> bool:
    """Whether a host name or address means this machine."""
    name = host.removesuffix(".").lower()
    address = parse_address(name)
    if address is not None:
        return address.is_loopback
    return name == "localhost" or name.endswith(".localhost")
