"""The names under which the server answers, and the client of a request."""

from pathlib import Path
from typing import Any

import pytest

from outlay.domain.errors import Invalid
from outlay.settings import read_settings
from outlay.web.http.forwarded import see_behind_proxies
from outlay.web.http.hosts import TrustedHosts

LOCAL = {"localhost", "127.0.0.1:4100", "[::1]:4100", "app.localhost"}
ADDRESSES = {"10.2.3.4:4100", "[2001:db8::1]"}
NAMED = {"outlay.example.com", "OUTLAY.example.com:443", "outlay.example.com."}
BELOW = {"a.teams.example.com", "b.a.teams.example.com"}
FOREIGN = {"evil.example", "example.com", "teams.example.com", "xoutlay.example.com", "", "outlay"}


@pytest.mark.parametrize(
    ("variables", "taken"),
    [
        ({}, LOCAL | ADDRESSES),
        ({"OUTLAY_HOST": "0.0.0.0"}, LOCAL | ADDRESSES | NAMED | BELOW | FOREIGN),  # noqa: S104 - not bound
        (
            {"OUTLAY_HOST": "0.0.0.0", "OUTLAY_PUBLIC_URL": "https://outlay.example.com"},  # noqa: S104 - not bound
            LOCAL | ADDRESSES | NAMED,
        ),
        (
            {"OUTLAY_TRUSTED_HOSTS": "outlay.example.com, *.teams.example.com"},
            LOCAL | ADDRESSES | NAMED | BELOW,
        ),
    ],
)
def test_configured_host_names_are_accepted(variables: dict[str, str], taken: set[str]) -> None:
    hosts = TrustedHosts(read_settings(data=Path("x"), environment=variables))

    def takes(host: str, path: str) -> bool:
        return hosts.takes({"raw_path": path.encode(), "headers": [(b"host", host.encode())]})

    everybody = LOCAL | ADDRESSES | NAMED | BELOW | FOREIGN
    assert {host for host in everybody if takes(host, "/login")} == taken
    for path in ("/v1/chat/completions", "/healthz", "/readyz"):
        assert all(takes(host, path) for host in everybody)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OUTLAY_TRUSTED_HOSTS", "https://outlay.example.com"),
        ("OUTLAY_TRUSTED_HOSTS", "outlay.example.com:443"),
        ("OUTLAY_TRUSTED_HOSTS", "*"),
        ("OUTLAY_TRUSTED_PROXIES", "proxy.example.com"),
        ("OUTLAY_TRUSTED_PROXIES", "10.0.0.0/99"),
        ("OUTLAY_MAX_CONNECTIONS", "many"),
        ("OUTLAY_HEAD_TIMEOUT", "0"),
        ("OUTLAY_SECURITY_CONTACT", "security@example.com"),
    ],
)
def test_invalid_settings_are_refused(name: str, value: str) -> None:
    with pytest.raises(Invalid, match=name):
        read_settings(environment={name: value})


def seen(peer: str, *headers: tuple[bytes, bytes]) -> tuple[str, str]:
    """Client and scheme of a request, as detected."""
    settings = read_settings(environment={"OUTLAY_TRUSTED_PROXIES": "10.0.0.0/8"})
    scope: Any = {"client": (peer, 1234), "scheme": "http", "headers": list(headers)}
    see_behind_proxies(scope, settings.edge.trusted_proxies)
    return scope["client"][0], scope["scheme"]


def test_only_trusted_proxies_are_believed() -> None:
    said = (b"x-forwarded-for", b"1.2.3.4, 203.0.113.5")
    over_tls = (b"x-forwarded-proto", b"https")
    assert seen("10.0.0.1", said, over_tls) == ("203.0.113.5", "https")
    assert seen("198.51.100.1", said, over_tls) == ("198.51.100.1", "http")
    assert seen("10.0.0.1", (b"x-forwarded-proto", b"javascript")) == ("10.0.0.1", "http")
    assert seen("10.0.0.1", (b"forwarded", b"for=1.2.3.4")) == ("10.0.0.1", "http")
