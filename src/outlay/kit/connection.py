"""Connections that a server cannot keep busy with informational answers (status 1xx).

aiohttp skips them without giving way to other tasks, however many there are. Its classes offer no
hook for that: `_factory` and `feed_data` are its own, and the tests of upstreams that flood watch
over an upgrade.
"""

import asyncio
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from typing_extensions import override

MAX_INFORMATIONAL: Final = 16
"""Informational answers to one request; servers have use for one or two."""

_SLICE_BYTES: Final = 4 * 1024
"""Read at a time until the final answer has begun, so that a flood is noticed early."""

_SWITCHING: Final = 101


class TooManyInformational(aiohttp.ClientError):
    """The server sends informational answers instead of a final one."""


class _Connection(ResponseHandler):
    """A connection that ends when too many informational answers come before the final one."""

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
        self._is_answered = True  # as far as we care
        if self.exception() is None:
            self.set_exception(TooManyInformational())
            if self.transport is not None:
                self.transport.abort()


class BoundedConnector(aiohttp.TCPConnector):
    """Makes such connections."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        kind: type[ResponseHandler] = _Connection
        self._factory = partial(kind, asyncio.get_running_loop())
