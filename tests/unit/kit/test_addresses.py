"""The client of a request, regardless of what it claims itself."""

import pytest

from outlay.kit.addresses import (
    is_among,
    is_loopback_name,
    neighbourhood_of,
    origin_of,
    parse_address,
    parse_networks,
)

PROXIES = parse_networks("10.0.0.0/8, 192.0.2.7 fd00::/8")


@pytest.mark.parametrize(
    ("peer", "said", "origin"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["203.0.113.5"], "198.51.100.1"),  # not a trusted proxy
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.5"], "203.0.113.5"),  # written by the client itself
        ("10.0.0.1", ["1.2.3.4", "203.0.113.5, 10.2.2.2"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5, 192.0.2.7", "10.2.2.2"], "203.0.113.5"),
        ("10.0.0.1", ["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5, nonsense, 10.2.2.2"], "10.2.2.2"),
        ("10.0.0.1", ["203.0.113.5:4711"], "203.0.113.5"),
        ("10.0.0.1", ['"[2001:db8::1]:4711"'], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("", ["203.0.113.5"], ""),
    ],
)
def test_origin_is_the_rightmost_untrusted_address(peer: str, said: list[str], origin: str) -> None:
    assert origin_of(peer, said, PROXIES) == origin


def test_very_long_forwarded_for_is_not_read_completely() -> None:
    assert origin_of("10.0.0.1", ["1.2.3.4," + "10.0.0.1," * 100_000], PROXIES) == "10.0.0.1"


def test_networks_are_addresses_or_ranges() -> None:
    assert is_among("10.255.0.1", PROXIES)
    assert is_among("192.0.2.7", PROXIES)
    assert not is_among("192.0.2.8", PROXIES)
    assert not is_among("nonsense", PROXIES)
    assert parse_networks("") == ()
    with pytest.raises(ValueError, match="proxy"):
        parse_networks("proxy.example.com")


def test_addresses_of_one_customer_are_grouped() -> None:
    assert neighbourhood_of("2001:db8::1") == neighbourhood_of("2001:db8::ffff:1")
    assert neighbourhood_of("2001:db8::1") != neighbourhood_of("2001:db8:0:1::1")
    assert neighbourhood_of("::ffff:192.0.2.1") == neighbourhood_of("192.0.2.1") == "192.0.2.1"
    assert neighbourhood_of("testclient") == "testclient"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("Localhost.", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("notlocalhost", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - a name
        ("", False),
    ],
)
def test_loopback_names(host: str, expected: bool) -> None:
    assert is_loopback_name(host) is expected


def test_numbers_that_are_not_addresses() -> None:
    for text in ("2130706433", "0x7f.1", "127.1", "1.2.3.4.5", "[::1", "a:b:c"):
        found = parse_address(text)
        assert found is None or text == "[::1"
