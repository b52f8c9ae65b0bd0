"""Finding the server that uses a data directory."""

from pathlib import Path

import msgspec
import pytest

from outlay.services.server_info import ServerInfo, find_server
from outlay.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


def test_server_is_found_while_it_holds_the_lock(settings: Settings) -> None:
    info = ServerInfo(7, "http://127.0.0.1:1", "t")
    settings.server_path.write_bytes(msgspec.json.encode(info))
    settings.lock_path.write_text("7\n")

    assert find_server(settings) == info


def test_file_of_a_killed_server_is_ignored(settings: Settings) -> None:
    assert find_server(settings) is None
    settings.server_path.write_bytes(msgspec.json.encode(ServerInfo(7, "http://127.0.0.1:1", "t")))
    assert find_server(settings) is None
    settings.lock_path.write_text("8\n")
    assert find_server(settings) is None
    settings.server_path.write_text("{")
    assert find_server(settings) is None
