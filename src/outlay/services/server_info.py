"""Discovery of the server that uses a data directory."""

import msgspec

from outlay.settings import Settings


class ServerInfo(msgspec.Struct, frozen=True):
    """Connection data that a running server leaves in the data directory for local commands."""

    pid: int
    url: str
    token: str


def find_server(settings: Settings) -> ServerInfo | None:
    """The running server of a data directory, if it has published its connection data."""
    try:
        server = msgspec.json.decode(settings.server_path.read_bytes(), type=ServerInfo)
        holder = settings.lock_path.read_text().strip()
    except (OSError, msgspec.MsgspecError):
        return None
    # A killed server leaves its file behind; only the holder of the lock is valid.
    return server if holder == str(server.pid) else None
