"""Answers of the Responses API: where each came from, and whether its usage is on record.

Clients ask for an answer again by its id, and those that run in the background have their usage
only then. What is remembered is for this process and bounded; an id that is not here was answered
before a restart or on another node.
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
    """An answer that may be asked for again."""

    route: Route
    exchange: Exchange
    """The request that it is the answer to."""
    is_settled: bool
    """Whether its usage is on record."""


class FollowedResponses:
    """Remembers the latest answers. Used from one event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Followed] = OrderedDict()

    def note(self, exchange: Exchange, route: Route, answer: Answer) -> None:
        """Remember an answer to a request, before its client has seen the end of it."""
        if exchange.operation == OPERATION and answer.response_id:
            is_settled = answer.usage is not None and not answer.is_pending
            self.put(answer.response_id, Followed(route, _without_bodies(exchange), is_settled))

    def put(self, response_id: str, followed: Followed) -> None:
        """Remember one by its id."""
        self._known[followed.exchange.api_key.organization_id, response_id] = followed
        if len(self._known) > MAX_FOLLOWED:
            self._known.popitem(last=False)

    def find(self, organization_id: str, response_id: str) -> Followed | None:
        """What is known of an id of an organization."""
        return self._known.get((organization_id, response_id))


def _without_bodies(exchange: Exchange) -> Exchange:
    """An exchange without what its client sent, which may be megabytes, and is not needed again."""
    call = exchange.call
    kept = None if call is None else replace(call, body=b"", readable=b"")
    return replace(exchange, call=kept, reservation=None)
