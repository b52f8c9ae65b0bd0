"""A client on plain sockets, for what no HTTP library would send."""

import json
import socket
import struct
from typing import Any

from tests.gateway.conftest import Gate, chat_body


def request_bytes(
    gate: Gate,
    body: dict[str, Any] | bytes | None = None,
    script: dict[str, Any] | None = None,
    *,
    path: str = "/v1/chat/completions",
    extra: str = "",
) -> bytes:
    """The bytes of a request."""
    content = body if isinstance(body, bytes) else json.dumps(body or chat_body()).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {gate.key}\r\nx-script: {json.dumps(script or {})}\r\n"
        f"{extra}content-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def connect(gate: Gate, *, receive_buffer: int | None = None) -> socket.socket:
    """A connection to the gateway."""
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(60)
    sock.connect(gate.address)
    return sock


def reset(sock: socket.socket) -> None:
    """Reset the connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def receive(sock: socket.socket, size: int = 4096) -> bytes:
    """Some bytes; raises ConnectionError at the end, at which plain `recv` returns none at once."""
    received = sock.recv(size)
    if not received:
        raise ConnectionError("the gateway closed the connection")
    return received


def read_all(sock: socket.socket) -> bytes:
    """Read until the other side closes; after a reset, returns what came before it."""
    received = b""
    try:
        while chunk := sock.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def body_of(answer: bytes) -> tuple[bytes, bool]:
    """The body of an answer, and whether it is complete."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head:
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return rest, len(rest) == length
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        if length == 0:
            return body, True
        body, rest = body + rest[:length], rest[length + 2 :]
    return body, False
