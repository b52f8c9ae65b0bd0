"""Short responses that are sent at once, without FastAPI."""

from typing import Final

from starlette.types import Send

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"


async def send_plain(send: Send, status: int, body: bytes, content_type: str = TEXT) -> None:
    """Send a response that must not be stored."""
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
