"""The undocumented parts of uvicorn and aiohttp that we use.

An upgrade that changes one of these fails here, by name, rather than in the gateway under load.
`pyproject.toml` keeps both to one minor version (`~=`).
"""

import ast
import inspect
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import TimerNoop
from packaging.requirements import Requirement
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

ROOT = Path(__file__).parents[2]
PRIVATE_MODULES = {
    "uvicorn._types",
    "uvicorn.protocols.http.httptools_impl",
    "aiohttp.client_proto",
    "aiohttp.helpers",
}
"""The modules that src imports although they are not documented."""

PUBLIC_MODULES = {"uvicorn", "aiohttp", "aiohttp.abc"}

PARAMETERS: list[tuple[Callable[..., Any], set[str]]] = [
    (HttpToolsProtocol.on_message_begin, {"self"}),
    (HttpToolsProtocol.on_url, {"self", "url"}),
    (HttpToolsProtocol.on_header, {"self", "name", "value"}),
    (HttpToolsProtocol.on_headers_complete, {"self"}),
    (HttpToolsProtocol.send_400_response, {"self", "msg"}),
    (HttpToolsProtocol._start_asgi_task, {"self", "cycle", "app"}),
    (RequestResponseCycle.__init__, {"self", "transport", "on_response"}),
    (
        aiohttp.ClientRequest.__init__,
        {"method", "url", "headers", "skip_auto_headers", "data", "loop", "session", "timer"},
    ),
    (aiohttp.ClientRequest.send, {"self", "conn"}),
    (aiohttp.ClientResponse.start, {"self", "connection"}),
    (aiohttp.TCPConnector.connect, {"self", "req", "traces", "timeout"}),
    (
        ResponseHandler.set_response_params,
        {"timer", "read_until_eof", "auto_decompress", "read_bufsize"},
    ),
    (ResponseHandler.data_received, {"self", "data"}),
    (ResponseHandler.feed_data, {"self", "data", "size"}),
]
"""What is called or overridden, with the parameters that we rely on."""

TEXTS = {
    HttpToolsProtocol: ("self.logger = ", "self.parser", "self.transport", "self.headers"),
    RequestResponseCycle: (
        "self.transport = transport",
        "self.on_response = on_response",
        "ASGI callable returned without",
    ),
    aiohttp.BaseConnector: ("self._factory = ",),
    httptools_impl: ("Invalid HTTP request", "STATUS_LINE"),
}
"""Attributes that we set or read, and messages that we keep out of the log."""


@pytest.mark.parametrize(
    ("function", "used"), PARAMETERS, ids=[each.__qualname__ for each, _ in PARAMETERS]
)
def test_private_functions_accept_our_arguments(
    function: Callable[..., Any], used: set[str]
) -> None:
    assert used <= set(inspect.signature(function).parameters)


@pytest.mark.parametrize("where", TEXTS, ids=lambda where: where.__name__)
def test_private_attributes_and_messages_exist(where: Any) -> None:
    source = inspect.getsource(where)

    assert [text for text in TEXTS[where] if text not in source] == []


def test_status_line_is_followed_by_header_bytes() -> None:
    assert httptools_impl.STATUS_LINE[431].startswith(b"HTTP/1.1 431 ")
    assert httptools_impl.STATUS_LINE[431].endswith(b"\r\n")


def test_noop_timer_takes_no_arguments() -> None:
    with TimerNoop():
        pass


def test_every_imported_private_module_is_listed() -> None:
    used = {name for name in imports() if name.partition(".")[0] in {"uvicorn", "aiohttp"}}

    assert used - PUBLIC_MODULES == PRIVATE_MODULES


@pytest.mark.parametrize("package", ["uvicorn", "aiohttp"])
def test_packages_with_used_private_parts_are_pinned_to_a_minor_version(package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = (each for each in map(Requirement, project["dependencies"]) if each.name == package)
    (bound,) = wanted.specifier

    assert bound.operator == "~="
    assert bound.version.count(".") == 2


def imports() -> Iterator[str]:
    """The modules that src imports."""
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
