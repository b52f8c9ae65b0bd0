"""Turning reports into events: attributed and priced once, stored completely or refused."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from outlay.domain.amendment import RESERVED
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import (
    EARLIEST_EVENT,
    MAX_FUTURE,
    UsageEvent,
    UsageSource,
)
from outlay.domain.ids import ApiKeyId, MemberId, OrganizationId
from outlay.domain.meter import check_meters, join_meters, join_names, settle_meters
from outlay.domain.organization import ApiKey
from outlay.domain.outcome import Outcome
from outlay.domain.price_context import render_context
from outlay.domain.usage import TokenUsage, check_tokens, settle_tokens
from outlay.domain.usage_report import UsageReport, reported_fields
from outlay.kit.clock import Clock, in_us, to_us
from outlay.services.directory.discovery import Discovery
from outlay.services.directory.prices import PriceBooks
from outlay.services.directory.tags import TagKeeper
from outlay.services.recording.attribution import Attribution
from outlay.services.recording.usage_pricing import (
    Billed,
    price_billed,
    price_fields,
    with_pictures,
)
from outlay.storage.ledger.store import Ledger

_EARLIEST_US: Final = to_us(EARLIEST_EVENT)
_MAX_FUTURE_US: Final = in_us(MAX_FUTURE)
_NOTHING: Final = TokenUsage()


class Recorder:
    """Converts usage reports to ledger events."""

    def __init__(
        self,
        ledger: Ledger,
        prices: PriceBooks,
        attribution: Attribution,
        discovery: Discovery,
        tags: TagKeeper,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._prices = prices
        self._attribution = attribution
        self._discovery = discovery
        self._tags = tags
        self._clock = clock

    def record(
        self, organization_id: OrganizationId, reports: Sequence[UsageReport]
    ) -> list[Outcome]:
        """Store reports and wait until they are on disk; returns one outcome per report, in order.

        Raises Invalid with the position of the first invalid report; nothing is stored then.
        """
        return self.submit(organization_id, reports).result()

    def submit(
        self, organization_id: OrganizationId, reports: Sequence[UsageReport]
    ) -> Future[list[Outcome]]:
        """Like `record`, without waiting: the future resolves once the events are on disk."""
        latest_us = to_us(self._clock.now()) + _MAX_FUTURE_US
        self._attribution.meet(organization_id, reports)
        self._tags.meet(organization_id, reports)
        events = []
        for position, report in enumerate(reports):
            try:
                events.append(self.event(organization_id, report, latest_us))
            except Invalid as error:
                raise Invalid(
                    f"Event {position} ({report.event_id}): {error.message}",
                    code=error.code,
                    field=f"[{position}].{error.field}" if error.field else f"[{position}]",
                ) from error
        self._discovery.note(organization_id, reports, events)
        return self._ledger.submit(events)

    def knows(self, organization_id: OrganizationId) -> bool:
        """Whether events of an organization can be created from cached data alone."""
        return (
            self._prices.knows(organization_id)
            and self._attribution.knows(organization_id)
            and self._tags.knows(organization_id)
        )

    def load(self, organization_id: OrganizationId) -> None:
        """Cache the data that events of an organization require."""
        self._prices.book_for(organization_id)
        self._attribution.load(organization_id)
        self._discovery.merges(organization_id)
        self._tags.load(organization_id)

    def event(
        self, organization_id: OrganizationId, report: UsageReport, latest_us: int
    ) -> UsageEvent:
        """The event of a report, attributed and priced; raises Invalid for an invalid report."""
        check_time(report.event_time_us, latest_us)
        if report.event_id.startswith(RESERVED):
            raise Invalid(
                f"`eventId` must not begin with {RESERVED!r}, which is reserved for amendments.",
                field="eventId",
            )
        usage, is_adjusted = _NOTHING, False
        if report.usage is not None:
            usage, is_adjusted = settle_tokens(check_tokens(report.usage))
        used = with_pictures(report.operation, report.usage, report.meters)
        meters, is_cut = settle_meters(usage, check_meters(used))
        priced = price_billed(
            self._prices.book_for(organization_id),
            Billed(
                provider=report.provider,
                mapping=report.mapping,
                response_model=report.response_model,
                at_us=report.event_time_us,
                operation=report.operation,
                status=report.status,
                usage=None if report.usage is None else usage,
                meters=meters,
                unread=report.unread,
                context=report.price_context,
                reported_cost_pusd=report.reported_cost_pusd,
                source=report.source,
            ),
        )
        key = self._attribution.key(organization_id, ApiKeyId(report.api_key_id))
        values = reported_fields(report)
        values["user_id"], groups = self._user(organization_id, report, key)
        if key is not None:
            values["project_id"] = key.project_id
        if report.usage is None:
            values["usage_source"] = UsageSource.UNKNOWN
        return UsageEvent(
            **values,
            **usage._asdict(),
            **price_fields(priced),
            organization_id=organization_id,
            price_context=render_context(report.price_context),
            member_id=key.member_id if key else "",
            groups=groups,
            model=self._prices.base.canonical_model(report.mapping),
            adjusted=is_adjusted or is_cut,
            meters=join_meters(meters),
            unread=join_names(report.unread),
            tags=self._tags.settle(organization_id, report.tags),
        )

    def _user(
        self, organization_id: OrganizationId, report: UsageReport, key: ApiKey | None
    ) -> tuple[str, str]:
        """The user that a request is attributed to, and the stored set of the user's groups.

        A claim overrides the creator of the API key only if the key may set attribution and the
        claim names a member. Without an API key, the report is trusted.
        """
        if key is None:
            called = self._attribution.find_member_by_email(organization_id, report.user_id)
            user_id = called or report.user_id
            if report.groups:
                return user_id, self._attribution.groups_claimed(organization_id, report.groups)
        else:
            user_id = key.member_id
        if key and key.trusts_caller:
            if report.user_id:
                called = self._attribution.find_member_by_email(organization_id, report.user_id)
                user_id = called or user_id
            if report.groups:
                claimed = self._attribution.groups_named(organization_id, report.groups)
                if claimed:
                    return user_id, claimed
        groups = self._attribution.groups_at(
            organization_id, MemberId(user_id), report.event_time_us
        )
        return user_id, groups


def check_time(event_time_us: int, latest_us: int) -> None:
    """Raise Invalid for an event time before any metered LLM or after `latest_us`."""
    if event_time_us < _EARLIEST_US:
        raise Invalid(
            f"`eventTime` must not be before {EARLIEST_EVENT:%Y-%m-%d}. Check its unit.",
            code=ErrorCode.EVENT_TOO_OLD,
            field="eventTime",
        )
    if event_time_us > latest_us:
        raise Invalid(
            f"`eventTime` must not be more than {MAX_FUTURE.seconds // 60} minutes in the future.",
            code=ErrorCode.EVENT_IN_FUTURE,
            field="eventTime",
        )
