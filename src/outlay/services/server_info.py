"""The server that has a data directory open, and how to reach it."""

import msgspec

from outlay.settings import Settings


class ServerInfo(msgspec.Struct, frozen=True):
    """What a running server leaves in the data directory for commands on the same machine."""

    pid: int
    url: str
    token: str


def find_server(settings: Settings) -> ServerInfo | None:
    """The server that has the data directory open, when it says how to reach it."""
    try:
        server = msgspec.json.decode(settings.server_path.read_bytes(), type=ServerInfo)
        holder = settings.lock_path.read_text().strip()
    except (OSError, msgspec.MsgspecError):
        return None
    # A killed server leaves its file behind; only the one that holds the lock is meant.
    return server if holder == str(server.pid) else None
