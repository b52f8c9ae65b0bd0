"""Conversion of file rows to usage reports, according to the mapping."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import blake2b
from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import Status, UsageSource, status_of_code
from outlay.domain.ids import EventId
from outlay.domain.latency import MAX_DURATION_US
from outlay.domain.money import MAX_PUSD
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.wire.answer import Answer, text_of, tier_context
from outlay.wire.anthropic.messages import variant_context
from outlay.wire.end_users import end_user_of
from outlay.wire.files.answers import operation_of, read_answer
from outlay.wire.files.columns import Row, getter, is_true, list_in, whole_number
from outlay.wire.files.counting import Counting, counted_of
from outlay.wire.files.fields import MAX_REQUESTS, Fields
from outlay.wire.files.mapping import FileMapping
from outlay.wire.files.sharing import shared
from outlay.wire.litellm import calls
from outlay.wire.providers import route_of
from outlay.wire.values import elapsed_us, is_streamed, money_of, object_in, time_us_of

_STATUSES: Final = {status.value: status for status in Status}
_STANDARD_VARIANTS: Final = frozenset({"", "standard", "default"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Values that a file lacks, given by the user who imports it."""

    project_id: str = ""
    model: str = ""
    app: str = ""
    zone: tzinfo = UTC
    """For times without an offset."""
    time_us: int | None = None
    """For rows without a time."""
    shift_us: int = 0
    """Added to all times."""
    id_suffix: str = ""
    """Appended to ids that are derived from the content of a row."""
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    """USD for one unit of a currency, by its code in upper case."""
    is_bill: bool = False
    """Whether amounts may be credits, or larger than one event may have."""


class ReportReader:
    """Converts rows to usage reports."""

    def __init__(self, mapping: FileMapping, assumptions: Assumptions) -> None:
        self._mapping = mapping
        self._assumed = assumptions
        self._fields = fields = Fields(mapping)
        self._counting = Counting(fields)
        self._only = [
            (getter(column), frozenset(values)) for column, values in mapping.only.items()
        ]
        self._seen: dict[str, int] = {}
        self._identity = [getter(column) for column in mapping.identity]
        self._more_identity = [
            (column, getter(column), frozenset(("None", *usual)))
            for column, usual in mapping.identity_except.items()
        ]
        self._source = f"import:{mapping.name}"

    def unnamed(self, row: Row) -> list[str]:
        """The columns of a row that count something and are not in the mapping."""
        return self._counting.unnamed(row)

    def time_us(self, row: Row) -> int:
        """The time in a row, not shifted; Invalid if there is none."""
        value = self._fields.value(row, "time")
        if value is None and self._assumed.time_us is not None:
            return self._assumed.time_us
        if isinstance(value, str) and self._assumed.zone is not UTC:
            value = self._in_zone(value)
        time_us = time_us_of(value)
        if time_us is None:
            raise self._fields.wrong(
                "time", "a time such as 2026-11-20T09:00:00Z (or use --time)", value
            )
        return time_us

    def reports(self, row: Row) -> Sequence[UsageReport]:
        """The reports of a row: none, one, or one per request.

        Invalid names the wrong field. Rows must be given in order, each once.
        """
        if any(str(get(row)) not in values for get, values in self._only):
            return ()
        report = self._report(row)
        if self._mapping.litellm_calls:
            call_type = self._fields.text(row, "operation")
            if report.status is Status.OK and calls.is_poll(call_type, report):
                return ()
            is_cached = self._counting.is_cached(row)
            report = calls.settled(call_type, report, is_cached=is_cached)
        return shared(report, self._pieces(row, report))

    def _report(self, row: Row) -> UsageReport:
        fields = self._fields
        time_us = self.time_us(row) + self._assumed.shift_us
        body = object_in(fields.value(row, "answer"))
        answer = read_answer(body, self._mapping.answers) if self._mapping.answers else None
        provider, mapping = self._route(row, answer)
        status, code = self._status(row, answer)
        is_ok = status is Status.OK
        counted = (
            counted_of(answer)
            if answer is not None
            else self._counting.counted(row, provider=provider, is_ok=is_ok)
        )
        streamed = fields.value(row, "stream")
        names: dict[str, str] = {}
        project = self._called(row, "project", names)
        duration_us, first_token_us = self._timing(row, time_us - self._assumed.shift_us)
        return UsageReport(
            event_id=EventId(self._event_id(row)),
            event_time_us=time_us,
            provider=provider,
            mapping=mapping,
            usage=counted.usage,
            meters=counted.meters,
            unread=counted.unread,
            project_id=project or self._assumed.project_id,
            api_key_id=self._called(row, "api_key", names),
            user_id=self._called(row, "user", names),
            groups=fields.texts(row, "groups"),
            end_user=end_user_of(fields.words(row, "end_user")),
            app=self._app(row),
            operation=self._operation(row, body),
            status=status,
            usage_source=UsageSource.REPORTED,
            duration_us=duration_us,
            time_to_first_token_us=first_token_us,
            reported_cost_pusd=self._cost(row, answer),
            is_stream=is_streamed(None if streamed is None else is_true(streamed), first_token_us),
            http_status=code,
            error_code="" if is_ok else fields.text(row, "error"),
            response_id=answer.response_id if answer else fields.text(row, "response_id"),
            response_model=fields.text(row, "response_model"),
            session_id=fields.text(row, "session_id"),
            provider_batch_id=fields.text(row, "provider_batch_id"),
            price_context=self._context(row, answer),
            names=names,
            source=self._source,
        )

    def _called(self, row: Row, kind: str, names: dict[str, str]) -> str:
        """The id of a project, API key or user. Its name is noted and used if there is no id."""
        found, name = self._fields.text(row, kind), self._fields.text(row, f"{kind}_name")
        if found and name:
            names[found] = name
        return found or name

    def _in_zone(self, text: str) -> datetime | str:
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            return text
        return moment if moment.tzinfo else moment.replace(tzinfo=self._assumed.zone)

    def _route(self, row: Row, answer: Answer | None) -> tuple[str, str]:
        model = self._fields.text(row, "model") or (answer.response_model if answer else "")
        if self._mapping.model_until:
            model = model.partition(self._mapping.model_until)[0].strip()
        model = model or self._assumed.model
        if not model:
            raise Invalid(
                "The row has no model. Name one with `--model openai/gpt-4o`.",
                code=ErrorCode.MALFORMED_ROW,
                field="model",
            )
        variant = self._fields.text(row, "variant").lower()
        if variant not in _STANDARD_VARIANTS and not model.endswith(f":{variant}"):
            model = f"{model}:{variant}"
        return route_of(self._fields.text(row, "provider"), model)

    def _cost(self, row: Row, answer: Answer | None) -> int | None:
        value = self._fields.value(row, "cost")
        cents = self._fields.number(row, "cost_cents")
        if value is None and cents is None:
            return answer.reported_cost_pusd if answer else None
        if value is None and cents is not None:
            value = cents.scaleb(-2)
        amount = money_of(value)
        if amount is None:
            raise self._fields.wrong("cost", "an amount in USD", value)
        # With a customer's own provider key, the upstream's charge is not part of the router's.
        amount += self._fields.number(row, "cost_upstream") or 0
        pusd = int((amount * self._rate(row)).scaleb(12).to_integral_value(ROUND_HALF_EVEN))
        if not self._assumed.is_bill and not 0 <= pusd <= MAX_PUSD:
            expected = "an amount between 0 and 9,000,000 USD"
            raise self._fields.wrong("cost", expected, value)
        return pusd

    def _rate(self, row: Row) -> Decimal:
        """USD for one unit of the row's currency."""
        currency = self._fields.text(row, "currency").upper()
        rate = Decimal(1) if currency in {"", "USD"} else self._assumed.rates.get(currency)
        if rate is None:
            raise Invalid(
                f"The amount is in {currency}. Set its rate in USD, such as `--rate "
                f"{currency}=1.08`.",
                code=ErrorCode.UNKNOWN_CURRENCY,
                field="currency",
            )
        return rate

    def _status(self, row: Row, answer: Answer | None) -> tuple[Status, int | None]:
        fields, code = self._fields, None
        value = fields.value(row, "http_status")
        if value is not None and str(value).isdigit() and 100 <= int(value) <= 599:
            code = int(value)
        if is_true(fields.value(row, "canceled")):
            return Status.CANCELED, code
        word = fields.text(row, "status").lower()
        word = self._mapping.values.get("status", {}).get(word, word)
        if code is not None and code >= 400:
            return status_of_code(code), code
        if word:
            status = _STATUSES.get(word)
            if status is None:
                raise fields.wrong("status", f"one of {', '.join(_STATUSES)}", word)
            return status, code
        has_failed = fields.text(row, "error") or (answer is not None and answer.is_error)
        return (Status.UPSTREAM_ERROR if has_failed else Status.OK), code

    def _operation(self, row: Row, body: Row) -> str:
        word = self._fields.text(row, "operation")
        if self._mapping.litellm_calls:
            return calls.operation_of(word)
        known = self._mapping.values.get("operation", {}).get(word.lower(), word)
        return known or operation_of(body) or "chat"

    def _app(self, row: Row) -> str:
        if app := self._fields.text(row, "app"):
            return app
        tags = (text_of(tag) for tag in list_in(self._fields.value(row, "tags")))
        return next((tag[4:] for tag in tags if tag.lower().startswith("app:")), self._assumed.app)

    def _context(self, row: Row, answer: Answer | None) -> dict[str, str]:
        variants = {name: self._fields.value(row, name) for name in ("speed", "inference_geo")}
        context = {**(answer.price_context if answer else {}), **variant_context(variants)}
        if is_true(self._fields.value(row, "batch")):
            return {**context, "processing": "batch"}
        return {**context, **tier_context(self._fields.text(row, "service_tier"))}

    def _timing(self, row: Row, start_us: int) -> tuple[int | None, int | None]:
        """Duration and time to first token."""
        fields = self._fields
        duration_us = self._elapsed(row, "duration_ms", 1_000)
        if duration_us is None:
            duration_us = self._elapsed(row, "duration_s", 1_000_000)
        if duration_us is None:
            duration_us = elapsed_us(start_us, time_us_of(fields.value(row, "end_time")))
        first_us = self._elapsed(row, "first_token_ms", 1_000)
        if first_us is None:
            first_us = elapsed_us(start_us, time_us_of(fields.value(row, "first_token_time")))
        if first_us is not None and duration_us is not None and first_us >= duration_us:
            first_us = None  # LiteLLM writes this for answers that were not streamed
        return duration_us, first_us

    def _elapsed(self, row: Row, name: str, unit_us: int) -> int | None:
        number = self._fields.number(row, name)
        if number is None:
            return None
        elapsed = round(number * unit_us)
        if not 0 <= elapsed <= MAX_DURATION_US:
            expected = "a plausible duration of a request"
            raise self._fields.wrong(name, expected, self._fields.value(row, name))
        return elapsed

    def _event_id(self, row: Row) -> str:
        if event_id := self._fields.text(row, "event_id"):
            return event_id
        says = [get(row) for get in self._identity] or self._fields.values(row)
        for column, get, usual in self._more_identity:
            if str(value := get(row)) not in usual:
                says.append(f"{column}={value}")
        content = "\x1f".join(map(str, says))
        digest = blake2b(content.encode(errors="replace"), digest_size=16).hexdigest()
        event_id = f"{self._mapping.name}:{digest}{self._assumed.id_suffix}"
        if self._identity:
            return event_id
        # Identical rows are separate requests. Each is numbered, so that the rows of a file that
        # was corrected or has grown are recognised.
        seen = self._seen[digest] = self._seen.get(digest, 0) + 1
        return event_id if seen == 1 else f"{event_id}:{seen}"

    def _pieces(self, row: Row, report: UsageReport) -> int:
        """The number of events that a row becomes; at least one if it has any usage."""
        usage = report.usage or TokenUsage()
        value = self._fields.value(row, "requests")
        if value is not None:
            requests = whole_number(value, self._fields.shown("requests"))
            if not 0 <= requests <= MAX_REQUESTS:
                expected = f"between 0 and {MAX_REQUESTS:,}"
                raise self._fields.wrong("requests", expected, requests)
            has_used = any(usage) or report.meters or report.reported_cost_pusd
            return max(requests, 1 if has_used else 0)
        spread = self._mapping.spread
        if spread is None or report.usage is None:
            return 1
        limit = spread.limits.get(str(row.get(spread.column)), spread.otherwise)
        return min(MAX_REQUESTS, max(1, -(-usage.input_tokens // limit)))
