"""Which URLs lead back to this installation."""

from pathlib import Path

import msgspec
import pytest

from outlay.services.directory.own_address import OwnAddress
from outlay.services.server_info import ServerInfo
from outlay.settings import Settings


@pytest.fixture
def own(tmp_path: Path) -> OwnAddress:
    """An installation with a public URL, whose server listens on port 4100."""
    settings = Settings(data=tmp_path, public_url="https://usage.example.com")
    info = ServerInfo(7, "http://127.0.0.1:4100", "t")
    settings.server_path.write_bytes(msgspec.json.encode(info))
    settings.lock_path.write_text("7\n")
    return OwnAddress(settings)


@pytest.mark.parametrize(
    "url",
    [
        "https://usage.example.com/v1",
        "https://USAGE.example.com.:443",
        "http://localhost:4100/v1",
        "http://0.0.0.0:4100",
        "http://[::1]:4100",
    ],
)
def test_other_spellings_of_the_address_are_included(own: OwnAddress, url: str) -> None:
    assert own.includes(url)


@pytest.mark.parametrize(
    "url", ["https://usage.example.com:8443", "http://127.0.0.1:4101", "https://example.com"]
)
def test_other_port_or_host_is_not_this_installation(own: OwnAddress, url: str) -> None:
    assert not own.includes(url)
