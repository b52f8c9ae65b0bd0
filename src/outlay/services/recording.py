"""Reports → events → ledger: attributed and priced once, stored wholly or refused."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from outlay.domain.amendment import RESERVED
from outlay.domain.errors import Invalid
from outlay.domain.event import (
    EARLIEST_EVENT,
    MAX_FUTURE,
    CostSource,
    Status,
    UsageEvent,
    UsageSource,
)
from outlay.domain.meter import check_meters, join_meters, join_names, settle_meters
from outlay.domain.organization import ApiKey
from outlay.domain.outcome import Outcome
from outlay.domain.report import BATCH, UsageReport
from outlay.domain.usage import TokenUsage, check_tokens, settle_tokens
from outlay.kit.clock import Clock, in_us, to_us
from outlay.pricing.book import UNPRICED, PriceBook, PricedUsage
from outlay.services.attribution import Attribution
from outlay.services.discovery import Discovery
from outlay.services.prices import PriceBooks
from outlay.storage.ledger.store import Ledger

_EARLIEST_US: Final = to_us(EARLIEST_EVENT)
_MAX_FUTURE_US: Final = in_us(MAX_FUTURE)
_NOTHING: Final = TokenUsage()
_FREE: Final = PricedUsage(0, 0, 0, 0, 0, CostSource.COMPUTED, "")
"""What used nothing costs nothing at any price."""

NOT_BY_TOKENS: Final = frozenset(
    {"image_generation", "transcription", "translation", "speech", "video", "rerank", "ocr"}
)
"""Operations that are billed by picture, second, character or search: without any token there was
still something to pay for."""


class Recorder:
    """Turns what sources report into events of the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        prices: PriceBooks,
        attribution: Attribution,
        discovery: Discovery,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._prices = prices
        self._attribution = attribution
        self._discovery = discovery
        self._clock = clock

    def record(self, organization_id: str, reports: Sequence[UsageReport]) -> list[Outcome]:
        """Store reports and wait until they are on disk; one outcome per report, in order.

        Raises Invalid, naming the report's position, with nothing stored when any is wrong.
        """
        return self.submit(organization_id, reports).result()

    def submit(self, organization_id: str, reports: Sequence[UsageReport]) -> Future[list[Outcome]]:
        """Like `record`, without waiting: the future resolves once the events are on disk."""
        latest_us = to_us(self._clock.now()) + _MAX_FUTURE_US
        self._attribution.meet(organization_id, reports)
        events = []
        for position, report in enumerate(reports):
            try:
                events.append(self.event(organization_id, report, latest_us))
            except Invalid as error:
                raise Invalid(
                    f"event {position} ({report.event_id}): {error.message}",
                    code=error.code,
                    field=f"[{position}].{error.field}" if error.field else f"[{position}]",
                ) from error
        self._discovery.note(organization_id, reports, events)
        return self._ledger.submit(events)

    def knows(self, organization_id: str) -> bool:
        """Whether events of an organization can be made from memory."""
        return self._prices.knows(organization_id) and self._attribution.knows(organization_id)

    def load(self, organization_id: str) -> None:
        """Have in memory what making events of an organization needs."""
        self._prices.of(organization_id)
        self._attribution.load(organization_id)
        self._discovery.merges(organization_id)

    def event(self, organization_id: str, report: UsageReport, latest_us: int) -> UsageEvent:
        """The event of a report, attributed and priced; Invalid says what is wrong with it."""
        check_time(report.event_time_us, latest_us)
        if report.event_id.startswith(RESERVED):
            raise Invalid(
                f"event ids that begin with {RESERVED!r} are those of amendments", field="eventId"
            )
        usage, is_adjusted = _NOTHING, False
        if report.usage is not None:
            usage, is_adjusted = settle_tokens(check_tokens(report.usage))
        meters, is_cut = settle_meters(usage, check_meters(_with_pictures(report)))
        priced = self._price(organization_id, report, usage, meters)
        key = self._attribution.key(organization_id, report.api_key_id)
        user_id, groups = self._user(organization_id, report, key)
        return UsageEvent(
            event_id=report.event_id,
            organization_id=organization_id,
            event_time_us=report.event_time_us,
            project_id=key.project_id if key else report.project_id,
            api_key_id=report.api_key_id,
            end_user=report.end_user,
            app=report.app,
            provider=report.provider,
            mapping=report.mapping,
            operation=report.operation,
            status=report.status,
            usage_source=UsageSource.UNKNOWN if report.usage is None else report.usage_source,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_input_tokens=usage.cache_read_input_tokens,
            cache_write_input_tokens=usage.cache_write_input_tokens,
            cache_write_1h_input_tokens=usage.cache_write_1h_input_tokens,
            reasoning_output_tokens=usage.reasoning_output_tokens,
            duration_us=report.duration_us,
            time_to_first_token_us=report.time_to_first_token_us,
            reported_cost_pusd=report.reported_cost_pusd,
            price_context=render_context(report.price_context),
            source=report.source,
            member_id=key.member_id if key else "",
            user_id=user_id,
            groups=groups,
            model=self._prices.base.canonical_model(report.mapping),
            adjusted=int(is_adjusted or is_cut),
            cost_source=priced.cost_source,
            cost_pusd=priced.cost_pusd,
            input_cost_pusd=priced.input_cost_pusd,
            cache_read_cost_pusd=priced.cache_read_cost_pusd,
            cache_write_cost_pusd=priced.cache_write_cost_pusd,
            output_cost_pusd=priced.output_cost_pusd,
            price_ref=priced.price_ref,
            is_stream=int(report.is_stream),
            http_status=report.http_status,
            error_code=report.error_code,
            response_id=report.response_id,
            response_model=report.response_model,
            meters=join_meters(meters),
            unread=join_names(report.unread),
            session_id=report.session_id,
            provider_batch_id=report.provider_batch_id,
            attempt=report.attempt,
            computed_cost_pusd=priced.computed_cost_pusd,
            meter_cost_pusd=priced.meter_cost_pusd,
            meter_costs=join_meters(dict(priced.meter_costs)),
            unpriced_parts=join_names(priced.unpriced_parts),
            trace_id=report.trace_id,
            parent_id=report.parent_id,
        )

    def _user(
        self, organization_id: str, report: UsageReport, key: ApiKey | None
    ) -> tuple[str, str]:
        """Whom a request is attributed to, and the stored set of their groups.

        A claim never overrides the key's creator, unless the key is trusted with it and names
        somebody that the organization knows. Without a key of ours, whoever reports is believed.
        """
        if key is None:
            called = self._attribution.member_called(organization_id, report.user_id)
            user_id = called or report.user_id
            if report.groups:
                return user_id, self._attribution.groups_claimed(organization_id, report.groups)
        else:
            user_id = key.member_id
        if key and key.trusts_caller:
            if report.user_id:
                called = self._attribution.member_called(organization_id, report.user_id)
                user_id = called or user_id
            if report.groups:
                claimed = self._attribution.groups_called(organization_id, report.groups)
                if claimed:
                    return user_id, claimed
        groups = self._attribution.groups_at(organization_id, user_id, report.event_time_us)
        return user_id, groups

    def _price(
        self,
        organization_id: str,
        report: UsageReport,
        usage: TokenUsage,
        meters: Mapping[str, int],
    ) -> PricedUsage:
        """The cost at the price book, or as reported.

        A reported cost counts where its provider is known to state what it charges, and where the
        book has no price for everything that was used.
        """
        book = self._prices.of(organization_id)
        is_counted = bool(meters) or report.usage not in {None, _NOTHING}
        priced = UNPRICED
        if is_counted or (report.usage is not None and not _is_billed_otherwise(report)):
            priced = self._priced(book, report, usage, meters)
            if not is_counted and priced.cost_source is CostSource.UNPRICED:
                priced = _FREE
        if report.unread and priced.cost_source is not CostSource.UNPRICED:
            parts = (*priced.unpriced_parts, *report.unread)
            priced = priced._replace(cost_source=CostSource.PARTIAL, unpriced_parts=parts)
        computed = None if priced.cost_source is CostSource.UNPRICED else priced.cost_pusd
        priced = priced._replace(computed_cost_pusd=computed)
        reported = report.reported_cost_pusd
        if reported is None:
            return priced
        is_whole = priced.cost_source not in {CostSource.UNPRICED, CostSource.PARTIAL}
        # Where no tokens were counted, nobody but the sender knows what was used.
        if (
            is_whole
            and (is_counted or not reported)
            and not book.is_reported_first(report.provider)
        ):
            return priced
        return PricedUsage(
            reported,
            0,
            0,
            0,
            0,
            CostSource.REPORTED,
            report.source,
            unpriced_parts=priced.unpriced_parts,
            computed_cost_pusd=computed,
        )

    def _priced(
        self,
        book: PriceBook,
        report: UsageReport,
        usage: TokenUsage,
        meters: Mapping[str, int],
    ) -> PricedUsage:
        """The book's price of the model that was asked for, or of another one that has answered.

        Deployments, routers and names such as `-latest` have no price of their own, and a provider
        bills the model that has answered. A price of one's own for the name asked for goes first.
        """

        def price(mapping: str) -> PricedUsage:
            return book.price(
                provider=report.provider,
                mapping=mapping,
                at_us=report.event_time_us,
                usage=usage,
                meters=meters,
                context=report.price_context or None,
                is_sum=report.operation == BATCH,
            )

        asked = price(report.mapping)
        if not report.response_model or asked.cost_source is CostSource.OVERRIDE:
            return asked
        answering = f"{report.provider}/{report.response_model}"
        if book.is_same_model(report.mapping, answering):
            return asked
        answered = price(answering)
        return asked if answered.cost_source is CostSource.UNPRICED else answered


def _with_pictures(report: UsageReport) -> Mapping[str, int]:
    """The meters of a report; the output of a maker of pictures is pictures unless it says more."""
    known = {"output_image_tokens", "output_images"}
    if report.operation != "image_generation" or not report.usage or known & report.meters.keys():
        return report.meters
    return {**report.meters, "output_image_tokens": report.usage.output_tokens}


def _is_billed_otherwise(report: UsageReport) -> bool:
    """Whether a request has used something although no token was counted."""
    return report.status is Status.OK and report.operation in NOT_BY_TOKENS


def check_time(event_time_us: int, latest_us: int) -> None:
    """Raise Invalid for an event time before any metered LLM or ahead of `latest_us`."""
    if event_time_us < _EARLIEST_US:
        raise Invalid(
            f"the event time is before {EARLIEST_EVENT:%Y-%m-%d}; is it in the right unit?",
            code="event-too-old",
            field="eventTime",
        )
    if event_time_us > latest_us:
        raise Invalid(
            f"the event time is more than {MAX_FUTURE.seconds // 60} minutes in the future",
            code="event-in-future",
            field="eventTime",
        )


def render_context(context: Mapping[str, str]) -> str:
    """The stored form of a price context: `key=value`, sorted, comma-joined."""
    return ",".join(f"{key}={context[key]}" for key in sorted(context)) if context else ""
