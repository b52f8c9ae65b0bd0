"""Answers of the Responses API: their origin, and whether their usage is recorded.

Clients fetch an answer again by its id, and background answers have their usage only then. The
store is per process and bounded; an unknown id was answered before a restart or by another node.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from outlay.services.gateway.gateway import Exchange
from outlay.services.gateway.routing import Route
from outlay.wire.answer import Answer

MAX_FOLLOWED: Final = 10_000
OPERATION: Final = "responses"


@dataclass(slots=True)
class Followed:
    """An answer that may be fetched again."""

    route: Route
    exchange: Exchange
    """The original request."""
    is_settled: bool
    """Whether its usage is recorded."""


class FollowedResponses:
    """Stores the latest answers. Used from one event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Followed] = OrderedDict()

    def note(self, exchange: Exchange, route: Route, answer: Answer) -> None:
        """Store the answer to a request, before its client has received the end of it."""
        if exchange.operation == OPERATION and answer.response_id:
            is_settled = answer.usage is not None and not answer.is_pending
            self.put(answer.response_id, Followed(route, _without_bodies(exchange), is_settled))

    def put(self, response_id: str, followed: Followed) -> None:
        """Store an answer by its id."""
        self._known[followed.exchange.api_key.organization_id, response_id] = followed
        if len(self._known) > MAX_FOLLOWED:
            self._known.popitem(last=False)

    def find(self, organization_id: str, response_id: str) -> Followed | None:
        """The answer with an id of an organization, if it is known."""
        return self._known.get((organization_id, response_id))


def _without_bodies(exchange: Exchange) -> Exchange:
    """An exchange without the request body, which may be megabytes and is no longer needed."""
    call = exchange.call
    kept = None if call is None else replace(call, body=b"", readable=b"")
    return replace(exchange, call=kept, reservation=None)
