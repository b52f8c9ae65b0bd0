"""The life of a client request in the gateway: admitted, relayed, recorded.

admit: route · limits · intent on disk ──► the provider may be called

finish: usage read or estimated · priced · outcome on disk in place of the intent
"""

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import msgspec

from outlay.domain.errors import Invalid
from outlay.domain.event import Status, UsageEvent, UsageSource
from outlay.domain.ids import ApiKeyId, EventId, OrganizationId, ProjectId
from outlay.domain.organization import ApiKey
from outlay.domain.same_answer import GATEWAY
from outlay.domain.upstream import Upstream
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import Clock, to_us
from outlay.kit.ids import uuid7_at
from outlay.services.directory.prices import PriceBooks
from outlay.services.gateway.intents import IntentLog
from outlay.services.gateway.limit_enforcement import Reservation, SpendLimits
from outlay.services.gateway.reservation import FREE, highest_cost
from outlay.services.gateway.routing import Route, Router
from outlay.services.recording.recorder import Recorder
from outlay.storage.ledger.rows import Intent
from outlay.wire.answer import Answer, text_of
from outlay.wire.call import Call, text_bytes
from outlay.wire.caller import Caller
from outlay.wire.estimate import estimate_tokens

logger = logging.getLogger(__name__)


POLL: Final = "gateway-poll"
"""The source of usage that a poll returned: it is for the same answer as the request's own event,
and counts instead of it if that has none.
"""

INTERRUPTED: Final = "gateway-interrupted"
"""The error code of requests whose outcome was lost with the process."""

_NO_USAGE: Final = TokenUsage()

TEXT_OPERATIONS: Final = frozenset({"chat", "text_completion", "responses", "embeddings"})
"""Operations whose usage can be estimated from text; images and audio cannot."""


class Begun(NamedTuple):
    """What is recorded of a request until its outcome is."""

    event_time_us: int
    project_id: ProjectId
    api_key_id: ApiKeyId
    provider: str
    mapping: str
    operation: str
    user: str
    app: str
    groups: tuple[str, ...]
    is_stream: bool
    session: str = ""
    tags: dict[str, str] | None = None


encode_begun: Final = msgspec.msgpack.Encoder().encode
decode_begun: Final = msgspec.msgpack.Decoder(Begun).decode


@dataclass(slots=True, kw_only=True)
class Exchange:
    """A request in progress."""

    request_id: EventId
    """Also the id of its event."""
    api_key: ApiKey
    caller: Caller
    operation: str
    event_time_us: int
    started: float
    """Monotonic seconds."""
    user: str
    """The user that the request names."""
    call: Call | None = None
    provider: str = ""
    mapping: str = ""
    reservation: Reservation | None = None
    is_settled: bool = False

    @property
    def tags(self) -> dict[str, str]:
        """Its tags: from its body and its headers, which win."""
        return {**(self.call.tags if self.call else {}), **self.caller.tags}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The outcome of an exchange, as observed by the gateway."""

    status: Status
    http_status: int | None
    """The status sent to the client; None if there was none."""
    error_code: str = ""
    answer: Answer | None = None
    """What was read of the upstream's answer; None without one."""
    is_free: bool = False
    """Whether nothing was used: the request was refused, or answered with an error."""
    first_token: float | None = None
    """For streams, monotonic seconds of the first event with content; otherwise None."""
    is_later: bool = False
    """Whether the answer was fetched by its id later, so that its duration is unknown."""


class Gateway:
    """Admits requests and records their outcomes. Used from one event loop."""

    def __init__(
        self,
        *,
        router: Router,
        limits: SpendLimits,
        recorder: Recorder,
        prices: PriceBooks,
        intents: IntentLog,
        clock: Clock,
    ) -> None:
        self._router = router
        self._limits = limits
        self._recorder = recorder
        self._prices = prices
        self._clock = clock
        self.intents = intents

    async def prepare(self, api_key: ApiKey) -> None:
        """Load what an organization's requests need into memory, so that the event loop never waits
        for the directory. Raises Unavailable if that is unreachable.
        """
        organization_id = api_key.organization_id
        if not (
            self._router.knows(organization_id)
            and self._limits.knows(organization_id)
            and self._recorder.knows(organization_id)
        ):
            await asyncio.to_thread(self._load, api_key)

    def _load(self, api_key: ApiKey) -> None:
        self._router.upstreams(api_key.organization_id)
        self._limits.are_set(api_key)
        self._recorder.load(api_key.organization_id)

    def begin(self, api_key: ApiKey, caller: Caller, operation: str, *, started: float) -> Exchange:
        """A request with a valid key. From here on it is recorded, regardless of its outcome."""
        now_us = to_us(self._clock.now())
        return Exchange(
            request_id=EventId(uuid7_at(now_us)),
            api_key=api_key,
            caller=caller,
            operation=operation,
            event_time_us=now_us,
            started=started,
            user=caller.user,
        )

    async def admit(self, exchange: Exchange, call: Call) -> Route:
        """Route a request and write the intent to disk; only then may it be sent.

        Raises NotFound for an unknown model, LimitReached, NotPermitted for a model without a price
        under a limit, and Unavailable if the ledger cannot accept.
        """
        organization_id = exchange.api_key.organization_id
        exchange.call = call
        exchange.user = exchange.user or call.user
        exchange.mapping = text_of(call.model)
        route = self._router.route(organization_id, call.model)
        exchange.provider, exchange.mapping = route.provider, route.mapping
        if exchange.operation not in FREE and self._limits.are_set(exchange.api_key):
            amount = self._most_it_costs(exchange, call)
            exchange.reservation = await self._limits.reserve(exchange.api_key, amount)
        try:
            holds = tuple(exchange.reservation or ())
            await self.intents.open(
                Intent(organization_id, exchange.request_id, _begun(exchange), holds)
            )
        except BaseException:
            self._release(exchange)
            raise
        return route

    async def finish(self, exchange: Exchange, ending: Ending) -> None:
        """Record the outcome; returns once it is on disk. Further calls do nothing."""
        if exchange.is_settled:
            return
        event = self._event(exchange, ending)
        exchange.is_settled = True
        try:
            await self.intents.settle(event)
        finally:
            self._release(exchange)

    async def record_later(self, begun: Exchange, answer: Answer, http_status: int) -> None:
        """Record the usage of an answer that was only queued when its request ended.

        It is an event of its own, with the request's time and caller; the response id shows that
        the answer is the same. Returns once it is on disk.
        """
        exchange = replace(
            begun,
            request_id=EventId(uuid7_at(to_us(self._clock.now()))),
            reservation=None,
            is_settled=True,
        )
        ending = Ending(
            status=Status.UPSTREAM_ERROR if answer.is_error else Status.OK,
            http_status=http_status,
            error_code="upstream-error" if answer.is_error else "",
            answer=answer,
            is_later=True,
        )
        await self.intents.settle(self._event(exchange, ending))

    def upstreams(self, organization_id: OrganizationId) -> list[tuple[Upstream, str]]:
        """All upstreams of an organization with their secrets."""
        return self._router.upstreams(organization_id)

    def finish_now(self, exchange: Exchange, ending: Ending) -> None:
        """Submit the outcome without waiting, when the event loop is about to end."""
        if not exchange.is_settled:
            event = self._event(exchange, ending)
            exchange.is_settled = True
            self.intents.settle_now(event)
            self._release(exchange)

    def _release(self, exchange: Exchange) -> None:
        if exchange.reservation is not None:
            self._limits.settle(exchange.reservation)
            exchange.reservation = None

    def _most_it_costs(self, exchange: Exchange, call: Call) -> int:
        """The largest possible cost of a request in pico-USD, if it is known beforehand."""
        return highest_cost(
            self._prices.book_for(exchange.api_key.organization_id),
            provider=exchange.provider,
            mapping=exchange.mapping,
            at_us=exchange.event_time_us,
            operation=exchange.operation,
            call=call,
        )

    def _event(self, exchange: Exchange, ending: Ending) -> UsageEvent:
        report = _report(exchange, ending)
        organization_id = exchange.api_key.organization_id
        try:
            return self._recorder.event(organization_id, report, exchange.event_time_us)
        except Exception as error:
            # The provider was called, so the request is recorded, whatever is wrong with it.
            if not isinstance(error, Invalid):  # otherwise the counts exceed any plausible price
                logger.exception("request %s is recorded with unknown usage", report.event_id)
            report = replace(report, usage=None, reported_cost_pusd=None)
            return self._recorder.event(organization_id, report, exchange.event_time_us)


def interrupted(intent: Intent) -> UsageReport:
    """The report of a request whose outcome was lost with its process."""
    begun = decode_begun(intent.begun)
    return UsageReport(
        event_id=intent.event_id,
        event_time_us=begun.event_time_us,
        provider=begun.provider,
        mapping=begun.mapping,
        usage=None,
        project_id=begun.project_id,
        api_key_id=begun.api_key_id,
        user_id=begun.user,
        end_user=begun.user,
        app=begun.app,
        operation=begun.operation,
        status=Status.GATEWAY_ERROR,
        source=GATEWAY,
        groups=begun.groups,
        session_id=begun.session,
        tags=begun.tags or {},
        is_stream=begun.is_stream,
        error_code=INTERRUPTED,
    )


def _begun(exchange: Exchange) -> bytes:
    """What is recorded of an admitted request."""
    return encode_begun(
        Begun(
            exchange.event_time_us,
            exchange.api_key.project_id,
            exchange.api_key.api_key_id,
            exchange.provider,
            exchange.mapping,
            exchange.operation,
            exchange.user,
            exchange.caller.app,
            exchange.caller.groups,
            exchange.call.is_stream if exchange.call else False,
            exchange.caller.session,
            exchange.tags,
        )
    )


def _report(exchange: Exchange, ending: Ending) -> UsageReport:
    """The report of a finished exchange."""
    answer = ending.answer
    usage, source = _usage(exchange, ending)
    is_stream = exchange.call is not None and exchange.call.is_stream
    first = ending.first_token if is_stream else None
    return UsageReport(
        event_id=exchange.request_id,
        event_time_us=exchange.event_time_us,
        provider=exchange.provider,
        mapping=exchange.mapping,
        usage=usage,
        project_id=exchange.api_key.project_id,
        api_key_id=exchange.api_key.api_key_id,
        user_id=exchange.user,
        end_user=exchange.user,
        app=exchange.caller.app,
        operation=exchange.operation,
        status=ending.status,
        usage_source=source,
        duration_us=(
            None if ending.is_later else _microseconds(exchange.started, time.monotonic())
        ),
        time_to_first_token_us=None if first is None else _microseconds(exchange.started, first),
        reported_cost_pusd=answer.reported_cost_pusd if answer else None,
        source=POLL if ending.is_later else GATEWAY,
        groups=exchange.caller.groups,
        session_id=exchange.caller.session,
        tags=exchange.tags,
        is_stream=is_stream,
        http_status=ending.http_status,
        error_code=ending.error_code,
        response_id=answer.response_id if answer else "",
        response_model=answer.response_model if answer else "",
        price_context=answer.price_context if answer else {},
        meters=answer.meters if answer else {},
        unread=tuple(answer.unread) if answer else (),
    )


def _usage(exchange: Exchange, ending: Ending) -> tuple[TokenUsage | None, UsageSource]:
    """The tokens of an exchange and their source.

    In this order: the provider's count; zero if nothing can have been used; an estimate from the
    relayed text, based on the count at the start of the answer; unknown.
    """
    answer = ending.answer
    if answer is not None and answer.usage is not None:
        return answer.usage, UsageSource.PROVIDER
    if ending.is_free:
        return _NO_USAGE, UsageSource.PROVIDER
    if answer is None or answer.is_opaque or answer.is_pending or exchange.call is None:
        return None, UsageSource.UNKNOWN
    if exchange.operation not in TEXT_OPERATIONS:
        return None, UsageSource.UNKNOWN
    begun = answer.usage_so_far or TokenUsage(estimate_tokens(text_bytes(exchange.call)))
    output = max(begun.output_tokens, estimate_tokens(answer.text_bytes))
    if begun.input_tokens + output == 0:
        return None, UsageSource.UNKNOWN
    return begun._replace(output_tokens=output), UsageSource.ESTIMATED


def _microseconds(start: float, end: float) -> int:
    return round((end - start) * 1_000_000)
