"""HTTP connections that limit informational responses (status 1xx).

aiohttp skips them without yielding to other tasks, however many there are. Its classes have no hook
for a limit: `_factory` and `feed_data` are internal, and the tests with flooding upstreams guard
upgrades.
"""

import asyncio
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from typing_extensions import override

MAX_INFORMATIONAL: Final = 16
"""Maximum number of informational responses to one request; servers send one or two."""

_SLICE_BYTES: Final = 4 * 1024
"""Bytes read at a time before the final response, so that a flood is noticed early."""

_SWITCHING: Final = 101


class TooManyInformational(aiohttp.ClientError):
    """The server sends informational responses instead of a final one."""


class _Connection(ResponseHandler):
    """A connection that is closed after too many informational responses."""

    _informational = 0
    _is_answered = False

    @override
    def set_response_params(self, **params: Any) -> None:
        self._informational = 0
        self._is_answered = False
        super().set_response_params(**params)

    @override
    def data_received(self, data: bytes) -> None:
        position = 0
        while not self._is_answered and len(data) - position > _SLICE_BYTES:
            super().data_received(data[position : position + _SLICE_BYTES])
            position += _SLICE_BYTES
        if self._informational <= MAX_INFORMATIONAL:
            super().data_received(data[position:] if position else data)

    @override
    def feed_data(self, data: Any, size: int = 0) -> None:
        code = data[0].code
        if 100 <= code < 200 and code != _SWITCHING:
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                self._give_up()
                return
        else:
            self._is_answered = True
        super().feed_data(data, size)

    def _give_up(self) -> None:
        self._is_answered = True  # for this limit
        if self.exception() is None:
            self.set_exception(TooManyInformational())
            if self.transport is not None:
                self.transport.abort()


class BoundedConnector(aiohttp.TCPConnector):
    """A connector that creates such connections."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        kind: type[ResponseHandler] = _Connection
        self._factory = partial(kind, asyncio.get_running_loop())
