"""The policy of which addresses may be connected to on behalf of others.

It is checked on the address itself, at the moment its socket is created: neither an unusual
spelling nor a name that resolves differently a moment later (DNS rebinding) bypasses it.
"""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from outlay.kit.addresses import Address, Network, parse_networks

_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle Cloud
        "fd00:42::42",  # Scaleway
        "fd00:ec2::23",  # AWS: container credentials
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
    )
)
"""Cloud metadata services outside the link-local networks; most others are within."""

LOOPBACK: Final[tuple[Address, ...]] = (ip_address("127.0.0.1"), ip_address("::1"))
"""Addresses that names of this machine resolve to."""

_NEVER: Final = (IPv4Network("0.0.0.0/8"), IPv4Network("255.255.255.255/32"))

_AT_END: Final = tuple(
    IPv6Network(text)
    for text in (
        "::/96",  # IPv4-compatible, deprecated
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "64:ff9b:1::/48",  # network-specific NAT64 (RFC 8215), as with a prefix of 96 bits
    )
)
"""IPv6 networks that embed an IPv4 address in the last 32 bits."""

_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
"""Third quarter of an address that embeds an IPv4 address in its fourth (RFC 5214)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """Which addresses may be connected to. Link-local, multicast and metadata addresses are never
    allowed."""

    is_private_open: bool = True
    """Whether loopback and private networks are allowed."""
    exceptions: tuple[Network, ...] = ()
    """Networks that are allowed even if private ones are not."""

    def allows(self, address: Address) -> bool:
        """Whether an address may be connected to, in whatever form it is written."""
        return all(self._allows(form) for form in _forms(address))

    def _allows(self, address: Address) -> bool:
        if (
            address.is_link_local
            or address.is_multicast
            or address.is_unspecified
            or address in _METADATA
            or any(address in network for network in _NEVER)
        ):
            return False
        return self.is_private_open or _is_public(address) or self._is_excepted(address)

    def _is_excepted(self, address: Address) -> bool:
        return any(address in network for network in self.exceptions)


OPEN: Final = Egress()
"""Allows private networks, too."""
PUBLIC: Final = Egress(is_private_open=False)
"""Allows the public internet only."""


def parse_egress(text: str) -> Egress:
    """`allow`, `refuse`, or the private networks that are allowed, separated by commas.

    Raises ValueError.
    """
    word = text.strip().lower()
    if word in {"", "allow"}:
        return OPEN
    if word == "refuse":
        return PUBLIC
    return Egress(is_private_open=False, exceptions=parse_networks(word))


def guarded_socket(
    permits: Callable[[Address], bool],
) -> Callable[[tuple[Any, ...]], socket.socket]:
    """A socket factory for aiohttp's connector; raises PermissionError for forbidden addresses."""

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, target = info
        address = ip_address(target[0].partition("%")[0])
        if not permits(address):
            raise PermissionError(errno.EACCES, f"{address} may not be connected to")
        return socket.socket(family, kind, protocol)

    return make


def _is_public(address: Address) -> bool:
    # Site-local addresses are deprecated, and global to `ipaddress`.
    return address.is_global and not (isinstance(address, IPv6Address) and address.is_site_local)


def _forms(address: Address) -> list[Address]:
    """The address and the IPv4 addresses that it may be routed to."""
    if isinstance(address, IPv4Address):
        return [address]
    number = int(address)
    last = IPv4Address(number & 0xFFFFFFFF)
    if any(address in network for network in _AT_END) and number > 1:  # not :: and ::1
        return [last]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return [address, *address.teredo]
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return [address, last]
    return [address]
