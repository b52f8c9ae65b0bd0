"""Which addresses may be connected to on behalf of others."""

import socket
from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.kit.egress import OPEN, guarded_socket, parse_egress
from outlay.kit.egress import PUBLIC as PUBLIC_ONLY

METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "::ffff:168.63.129.16",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "::169.254.169.254",
    "::ffff:0:a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "2002:6464:64c8::1",
    "2001:db8::5efe:a9fe:a9fe",
]
NOWHERE = ["0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "2002::"]  # noqa: S104 - nothing is bound
PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fd12:3456::1",
    "fec0::1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
]
PUBLIC = ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]


@pytest.mark.parametrize("text", METADATA + NOWHERE)
def test_metadata_services_are_forbidden_in_every_spelling(text: str) -> None:
    assert not OPEN.allows(ip_address(text))
    assert not PUBLIC_ONLY.allows(ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_private_networks_are_allowed_by_default(text: str) -> None:
    assert OPEN.allows(ip_address(text))
    assert not PUBLIC_ONLY.allows(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_allowed(text: str) -> None:
    assert PUBLIC_ONLY.allows(ip_address(text))


@given(st.ip_addresses(v=4))
def test_embedded_address_is_checked_like_the_address_itself(address: object) -> None:
    number = int(ip_address(str(address)))
    spellings = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address((0x64FF9B << 96) | number),
        IPv6Address((0x2002 << 112) | number << 80),
    ]
    for egress in (OPEN, PUBLIC_ONLY):
        expected = egress.allows(ip_address(str(address)))
        assert [egress.allows(spelling) for spelling in spellings] == [expected] * 3


def test_listed_networks_are_allowed() -> None:
    egress = parse_egress("10.1.2.0/24, 127.0.0.1,fd12::/16")
    allowed = {"10.1.2.9", "127.0.0.1", "::ffff:10.1.2.9", "fd12::8", "1.1.1.1"}
    refused = {"10.1.3.9", "127.0.0.2", "fd13::8", "169.254.169.254"}
    assert all(egress.allows(ip_address(text)) for text in allowed)
    assert not any(egress.allows(ip_address(text)) for text in refused)
    assert not parse_egress("169.254.0.0/16").allows(ip_address("169.254.169.254"))


def test_parsing_the_setting() -> None:
    assert parse_egress("") == parse_egress("Allow ") == OPEN
    assert parse_egress("refuse") == PUBLIC_ONLY
    with pytest.raises(ValueError, match="no"):
        parse_egress("no")


def test_socket_is_created_only_for_allowed_addresses() -> None:
    make = guarded_socket(OPEN.allows)
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))
    make(info).close()
    with pytest.raises(PermissionError):
        make((*info[:4], ("169.254.169.254", 80)))
    with pytest.raises(PermissionError):
        make((socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("fe80::1%lo", 80, 0, 1)))
