"""Short answers that are sent as a whole, without FastAPI."""

from typing import Final

from starlette.types import Send

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"


async def send_plain(send: Send, status: int, body: bytes, content_type: str = TEXT) -> None:
    """Send an answer that nobody stores."""
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
