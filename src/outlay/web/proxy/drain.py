"""Reading an answer to its end without the client, to get its usage."""

import time

from outlay.settings import ProxySettings
from outlay.web.http.metrics import Metrics
from outlay.web.proxy.client import Client
from outlay.web.proxy.upstream import UpstreamFailure


class Drain:
    """The reading of one answer after its client has disconnected, within bounds."""

    def __init__(self, client: Client, settings: ProxySettings, metrics: Metrics) -> None:
        self._client = client
        self._settings = settings
        self._metrics = metrics
        self._bytes = 0
        self.until: float | None = None
        """When it ends; None while the client is connected."""

    def is_client_there(self) -> bool:
        """Whether to send to the client; begins if it has disconnected.

        Raises UpstreamFailure if too many answers are being read without a client.
        """
        if self.until is None and self._client.has_left():
            if self._metrics.draining >= self._settings.max_drains:
                raise _gone()
            self._metrics.draining += 1
            self.until = time.monotonic() + self._settings.drain_seconds
        return self.until is None

    def count(self, size: int, now: float) -> None:
        """Count bytes read without the client; raises UpstreamFailure beyond the bounds."""
        self._bytes += size
        is_late = self.until is not None and now > self.until
        if is_late or self._bytes > self._settings.drain_bytes:
            raise _gone()

    def end(self) -> None:
        """The request has ended."""
        if self.until is not None:
            self._metrics.draining -= 1


def _gone() -> UpstreamFailure:
    return UpstreamFailure("client-gone", "The client has disconnected.")
