"""Rows of a file → reports, as its mapping says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from hashlib import blake2b
from typing import Any, Final

from outlay.domain.errors import Invalid
from outlay.domain.event import MAX_TEXT, Status, UsageSource, status_of_code
from outlay.domain.latency import MAX_DURATION_US
from outlay.domain.report import UsageReport
from outlay.domain.usage import MAX_TOKENS, TokenUsage
from outlay.wire.answer import text_of, tier_context
from outlay.wire.end_users import end_user_of
from outlay.wire.files.columns import (
    Getter,
    Row,
    getter,
    is_true,
    list_in,
    object_in,
    real_number,
    whole_number,
    wrong,
)
from outlay.wire.files.mapping import Columns, FileMapping
from outlay.wire.langfuse import usage_of_details
from outlay.wire.providers import route_of
from outlay.wire.values import elapsed_us, is_streamed, pusd_of, time_us_of

MAX_REQUESTS: Final = 1_000_000
"""Most requests that one row may stand for."""

_STATUSES: Final = {status.value: status for status in Status}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What a file does not say, and whoever imports it does."""

    project_id: str = ""
    model: str = ""
    app: str = ""
    zone: tzinfo = UTC
    """Of times without an offset."""
    shift_us: int = 0
    """Added to all times."""
    id_suffix: str = ""
    """After ids that are made of what a row says."""


class ReportReader:
    """Makes reports of rows."""

    def __init__(self, mapping: FileMapping, assumptions: Assumptions) -> None:
        self._mapping = mapping
        self._assumed = assumptions
        self._get: Mapping[str, Getter] = {
            name: getter(columns) for name, columns in mapping.fields.items()
        }
        self._only = {column: frozenset(values) for column, values in mapping.only.items()}
        self._unused = {column: frozenset(values) for column, values in mapping.unused.items()}
        self._shown = {name: _shown(name, columns) for name, columns in mapping.fields.items()}
        self._seen: dict[str, int] = {}
        self._identity = [getter(column) for column in mapping.identity]
        self._source = f"import:{mapping.name}"

    def time_us(self, row: Row) -> int:
        """When a row says it was, without shifting it; Invalid when it does not."""
        value = self._value(row, "time")
        if isinstance(value, str) and self._assumed.zone is not UTC:
            value = self._in_zone(value)
        time_us = time_us_of(value)
        if time_us is None:
            raise self._wrong("time", "expected a time such as 2026-11-20T09:00:00Z", value)
        return time_us

    def reports(self, row: Row) -> Sequence[UsageReport]:
        """The reports of a row: none, one, or as many as it has requests.

        Invalid says which field is wrong. Rows are to be given in their order, each once.
        """
        if any(str(row.get(column)) not in values for column, values in self._only.items()):
            return ()
        time_us = self.time_us(row) + self._assumed.shift_us
        provider, mapping = self._route(row)
        status, code = self._status(row)
        usage = self._usage(row, is_ok=status is Status.OK)
        cost = self._cost(row)
        streamed = self._value(row, "stream")
        names: dict[str, str] = {}
        project = self._called(row, "project", names)
        duration_us, first_token_us = self._timing(row, time_us - self._assumed.shift_us)
        report = UsageReport(
            event_id=self._event_id(row),
            event_time_us=time_us,
            provider=provider,
            mapping=mapping,
            usage=usage,
            project_id=project or self._assumed.project_id,
            api_key_id=self._called(row, "api_key", names),
            user_id=self._called(row, "user", names),
            groups=self._texts(row, "groups"),
            end_user=end_user_of(self._words(row, "end_user")),
            app=self._app(row),
            operation=self._operation(row),
            status=status,
            usage_source=UsageSource.REPORTED,
            duration_us=duration_us,
            time_to_first_token_us=first_token_us,
            reported_cost_pusd=cost,
            is_stream=is_streamed(None if streamed is None else is_true(streamed), first_token_us),
            http_status=code,
            error_code="" if status is Status.OK else self._text(row, "error"),
            response_id=self._text(row, "response_id"),
            price_context=self._context(row),
            names=names,
            source=self._source,
        )
        return _spread(report, self._pieces(row, usage))

    def _wrong(self, name: str, expected: str, value: Any) -> Invalid:
        return wrong(self._shown.get(name, name), expected, value)

    def _value(self, row: Row, name: str) -> Any:
        get = self._get.get(name)
        value = None if get is None else get(row)
        return self._mapping.defaults.get(name) if value is None else value

    def _text(self, row: Row, name: str) -> str:
        return text_of(self._words(row, name))

    def _words(self, row: Row, name: str) -> str:
        value = self._value(row, name)
        return value if isinstance(value, str) else "" if value is None else str(value)

    def _texts(self, row: Row, name: str) -> tuple[str, ...]:
        found = (text_of(part).strip() for part in list_in(self._value(row, name)))
        return tuple(text for text in found if text)

    def _called(self, row: Row, kind: str, names: dict[str, str]) -> str:
        """The id of a project, API key or user; its name is noted, and stands in for an id."""
        found, name = self._text(row, kind), self._text(row, f"{kind}_name")
        if found and name:
            names[found] = name
        return found or name

    def _in_zone(self, text: str) -> datetime | str:
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            return text
        return moment if moment.tzinfo else moment.replace(tzinfo=self._assumed.zone)

    def _route(self, row: Row) -> tuple[str, str]:
        model = self._text(row, "model")
        if self._mapping.model_until:
            model = model.partition(self._mapping.model_until)[0].strip()
        model = model or self._assumed.model
        if not model:
            raise Invalid(
                "model: the row names none; say which it is with --model openai/gpt-4o",
                code="malformed-row",
                field="model",
            )
        return route_of(self._text(row, "provider"), model)

    def _count(self, row: Row, name: str) -> int | None:
        value = self._value(row, name)
        if value is None:
            return None
        count = whole_number(value, self._shown.get(name, name))
        if not 0 <= count <= MAX_TOKENS * MAX_REQUESTS:
            raise self._wrong(name, "expected a count of tokens", value)
        return count

    def _usage(self, row: Row, *, is_ok: bool) -> TokenUsage | None:
        if any(str(row.get(column)) in values for column, values in self._unused.items()):
            return TokenUsage()
        incoming, outgoing = self._count(row, "input_tokens"), self._count(row, "output_tokens")
        if incoming is None and outgoing is None:
            details = usage_of_details(object_in(self._value(row, "usage_details")))
            # What failed without a count used nothing that anybody can tell.
            return details if details is not None or is_ok else TokenUsage()
        total = self._count(row, "total_tokens") or 0
        incoming = max(0, total - (outgoing or 0)) if incoming is None else incoming
        outgoing = max(0, total - incoming) if outgoing is None else outgoing
        read = self._count(row, "cache_read_input_tokens") or 0
        lasting = self._count(row, "cache_write_1h_input_tokens") or 0
        short = self._count(row, "cache_write_5m_input_tokens")
        written = self._count(row, "cache_write_input_tokens") or 0
        written = written if short is None else short + lasting
        written = max(written, lasting)
        reasoning = self._count(row, "reasoning_output_tokens") or 0
        if self._mapping.input_excludes_cache:
            incoming += read + written
        if self._mapping.output_excludes_reasoning:
            outgoing += reasoning
        return TokenUsage(incoming, outgoing, read, written, lasting, reasoning)

    def _cost(self, row: Row) -> int | None:
        value = self._value(row, "cost")
        cents = self._value(row, "cost_cents")
        if value is None and cents is None:
            return None
        if value is None:
            value = real_number(cents, self._shown["cost_cents"]).scaleb(-2)
        cost = pusd_of(value)
        if cost is None:
            raise self._wrong("cost", "expected an amount of USD from 0 to 9,000,000", value)
        return cost

    def _status(self, row: Row) -> tuple[Status, int | None]:
        code = None
        value = self._value(row, "http_status")
        if value is not None and str(value).isdigit() and 100 <= int(value) <= 599:
            code = int(value)
        if is_true(self._value(row, "canceled")):
            return Status.CANCELED, code
        word = self._text(row, "status").lower()
        word = self._mapping.values.get("status", {}).get(word, word)
        if code is not None and code >= 400:
            return status_of_code(code), code
        if word:
            status = _STATUSES.get(word)
            if status is None:
                raise self._wrong("status", f"expected one of {', '.join(_STATUSES)}", word)
            return status, code
        return (Status.UPSTREAM_ERROR if self._text(row, "error") else Status.OK), code

    def _operation(self, row: Row) -> str:
        word = self._text(row, "operation")
        return self._mapping.values.get("operation", {}).get(word.lower(), word) or "chat"

    def _app(self, row: Row) -> str:
        if app := self._text(row, "app"):
            return app
        tags = (text_of(tag) for tag in list_in(self._value(row, "tags")))
        return next((tag[4:] for tag in tags if tag.lower().startswith("app:")), self._assumed.app)

    def _context(self, row: Row) -> dict[str, str]:
        if is_true(self._value(row, "batch")):
            return {"processing": "batch"}
        return tier_context(self._text(row, "service_tier"))

    def _timing(self, row: Row, start_us: int) -> tuple[int | None, int | None]:
        """Latency and time to the first token."""
        duration_us = self._elapsed(row, "duration_ms", 1_000)
        if duration_us is None:
            duration_us = self._elapsed(row, "duration_s", 1_000_000)
        if duration_us is None:
            duration_us = elapsed_us(start_us, time_us_of(self._value(row, "end_time")))
        first_us = self._elapsed(row, "first_token_ms", 1_000)
        if first_us is None:
            first_us = elapsed_us(start_us, time_us_of(self._value(row, "first_token_time")))
        if first_us is not None and duration_us is not None and first_us >= duration_us:
            first_us = None  # as LiteLLM writes it for answers that were no stream
        return duration_us, first_us

    def _elapsed(self, row: Row, name: str, unit_us: int) -> int | None:
        value = self._value(row, name)
        if value is None:
            return None
        elapsed = round(real_number(value, self._shown.get(name, name)) * unit_us)
        if not 0 <= elapsed <= MAX_DURATION_US:
            raise self._wrong(name, "expected the time that a request takes", value)
        return elapsed

    def _event_id(self, row: Row) -> str:
        if event_id := self._text(row, "event_id"):
            return event_id
        content = "\x1f".join(str(get(row)) for get in self._identity or self._get.values())
        digest = blake2b(content.encode(errors="replace"), digest_size=16).hexdigest()
        event_id = f"{self._mapping.name}:{digest}{self._assumed.id_suffix}"
        if self._identity:
            return event_id
        # Rows that say the same are as many requests; each is told by which of them it is, so that
        # a file that was mended or has grown is known row by row.
        seen = self._seen[digest] = self._seen.get(digest, 0) + 1
        return event_id if seen == 1 else f"{event_id}:{seen}"

    def _pieces(self, row: Row, usage: TokenUsage | None) -> int:
        """How many events a row becomes."""
        if self._value(row, "requests") is not None:
            requests = whole_number(self._value(row, "requests"), self._shown["requests"])
            if not 0 <= requests <= MAX_REQUESTS:
                raise self._wrong("requests", f"expected 0 to {MAX_REQUESTS:,}", requests)
            return requests
        spread = self._mapping.spread
        if spread is None or usage is None:
            return 1
        limit = spread.limits.get(str(row.get(spread.column)), spread.otherwise)
        return min(MAX_REQUESTS, max(1, -(-usage.input_tokens // limit)))


def _shown(name: str, columns: Columns) -> str:
    """A field as it is called in messages: by its column, and by what that is here."""
    paths = [columns] if isinstance(columns, str) else columns
    return name if paths == [name] else f"column {' or '.join(paths)} ({name})"


def _spread(report: UsageReport, pieces: int) -> Sequence[UsageReport]:
    """One report as several whose sums are the same, to the last token and pico-dollar."""
    if pieces == 1:
        return (report,)
    usage, cost = report.usage, report.reported_cost_pusd
    return [
        replace(
            report,
            event_id=f"{report.event_id[: MAX_TEXT - 10]}#{index}",
            usage=None if usage is None else _share_of_usage(usage, index, pieces),
            reported_cost_pusd=None if cost is None else _share(cost, index, pieces),
        )
        for index in range(pieces)
    ]


def _share_of_usage(usage: TokenUsage, index: int, pieces: int) -> TokenUsage:
    """Kinds that do not overlap are shared out, so that no part exceeds its whole."""
    short = usage.cache_write_input_tokens - usage.cache_write_1h_input_tokens
    plain = usage.input_tokens - usage.cache_read_input_tokens - usage.cache_write_input_tokens
    said = usage.output_tokens - usage.reasoning_output_tokens
    kinds = (
        plain,
        usage.cache_read_input_tokens,
        short,
        usage.cache_write_1h_input_tokens,
        said,
        usage.reasoning_output_tokens,
    )
    if min(kinds) < 0:
        raise Invalid(
            "tokens: more cached than input, or more reasoning than output tokens",
            code="malformed-row",
            field="input_tokens",
        )
    plain, read, short, lasting, said, reasoning = (_share(count, index, pieces) for count in kinds)
    return TokenUsage(
        plain + read + short + lasting, said + reasoning, read, short + lasting, lasting, reasoning
    )


def _share(whole: int, index: int, pieces: int) -> int:
    return whole // pieces + (index < whole % pieces)
