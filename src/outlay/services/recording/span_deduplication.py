"""Traces → reports: each model call counts once, however many spans describe it.

A framework's span and the SDK's span below it, or an SDK's and the gateway's, report the same usage
twice. The innermost one counts, because it is closest to the provider. Spans end from the inside
out, so the inner span arrives first or together with the outer one. But the outer span may arrive
in a later body, even after a restart. So the spans above and below counted spans are marked on disk
before the spans are counted. A span that is sent again keeps its mark and its event id.

Telemetry that has tokens but is not counted is recorded (`skipped_telemetry.py`). If its tokens may
be counted nowhere, the response to the sender says so.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from outlay.domain.errors import Invalid
from outlay.domain.event import MAX_FUTURE
from outlay.domain.ids import OrganizationId
from outlay.domain.span_mark import SpanKey, SpanMark
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import Clock, in_us, to_us
from outlay.services.recording.recorder import Recorder, check_time
from outlay.services.recording.skipped_telemetry import Reason, SkippedKind, SkippedTelemetry
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.span_marks import drop_marks, find_marks, put_marks
from outlay.wire.otlp.genai import is_sum, report_of
from outlay.wire.otlp.senders import with_models
from outlay.wire.otlp.skipped import operation_of, tells_tokens
from outlay.wire.otlp.spans import Span

KEPT: Final = timedelta(days=1)
"""Maximum time between the first and the last span of a trace."""
_DROP_EVERY_US: Final = 3_600_000_000
_NAMED: Final = 3
"""Maximum number of kinds of lost spans named in a response."""


class Tracing:
    """Records the model calls in traces."""

    def __init__(
        self,
        directory: Directory,
        recorder: Recorder,
        skipped_telemetry: SkippedTelemetry,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._recorder = recorder
        self._skipped = skipped_telemetry
        self._clock = clock
        self._dropped_us = 0

    def record(self, organization_id: OrganizationId, spans: Sequence[Span]) -> tuple[int, str]:
        """Record spans; returns once they are on disk.

        Returns the number of calls rejected for their time or counts, and a message for the sender:
        the first reason, and which spans with tokens were skipped.
        """
        spans = with_models(spans)
        calls, left_out, reason = self._calls(spans)
        marks, chosen = self._choose(organization_id, spans, calls)
        self._recorder.record(organization_id, chosen)
        counted = {report.event_id for report in chosen}
        passed = [
            SkippedKind(_why(span, left_out, marks), span.scope, operation_of(span))
            for span in spans
            if (span.key not in calls or calls[span.key].event_id not in counted)
            and tells_tokens(span)
        ]
        self._skipped.note(organization_id, passed)
        rejected = sum(why is Reason.REJECTED for why in left_out.values())
        return rejected, "; ".join(filter(None, (reason, _warning(passed))))

    def _calls(
        self, spans: Iterable[Span]
    ) -> tuple[dict[SpanKey, UsageReport], dict[SpanKey, Reason], str]:
        """The reports of the spans that are model calls, and the left out spans."""
        latest_us = to_us(self._clock.now()) + in_us(MAX_FUTURE)
        calls: dict[SpanKey, UsageReport] = {}
        answers: set[tuple[str, str]] = set()
        left_out: dict[SpanKey, Reason] = {}
        reason = ""
        for span in spans:
            report = report_of(span)
            if report is None:
                continue
            try:
                check_time(report.event_time_us, latest_us)
            except Invalid as error:
                left_out[span.key] = Reason.REJECTED
                reason = reason or f"span {span.span_id} ({span.name}): {error.message}"
                continue
            if report.response_id:
                # Two parallel instrumentations describe one answer.
                answer = (span.trace_id, report.response_id)
                if answer in answers:
                    left_out[span.key] = Reason.SAME_ANSWER
                    continue
                answers.add(answer)
            calls[span.key] = report
        return calls, left_out, reason

    def _choose(
        self,
        organization_id: OrganizationId,
        spans: Sequence[Span],
        calls: Mapping[SpanKey, UsageReport],
    ) -> tuple[Mapping[SpanKey, SpanMark], list[UsageReport]]:
        """The marks of spans, which are stored, and the reports that count."""
        now_us = to_us(self._clock.now())
        keys = {span.key for span in spans}
        keys |= {(span.trace_id, span.parent_id) for span in spans if span.parent_id}
        if not calls:
            with self._directory.read() as session:
                if not find_marks(session, organization_id, keys):
                    return {}, []  # unrelated to calls: nothing to write
        with self._directory.write() as session:
            known = find_marks(session, organization_id, keys)
            marks, chosen = _judge(spans, calls, known)
            put_marks(
                session,
                organization_id,
                {key: mark for key, mark in marks.items() if known.get(key) is not mark},
                now_us,
            )
            if now_us - self._dropped_us > _DROP_EVERY_US:
                drop_marks(session, now_us - in_us(KEPT))
                self._dropped_us = now_us
        return marks, chosen


def _why(
    span: Span, left_out: Mapping[SpanKey, Reason], marks: Mapping[SpanKey, SpanMark]
) -> Reason:
    """Why a span with tokens is not counted."""
    if span.key in left_out:
        return left_out[span.key]
    if marks.get(span.key) in {SpanMark.ABOVE, SpanMark.BELOW}:
        return Reason.COUNTED_ELSEWHERE
    return Reason.NO_CALL if is_sum(span) else Reason.UNKNOWN_CONVENTION


def _warning(passed: Iterable[SkippedKind]) -> str:
    """The warning for spans whose tokens may be counted nowhere; empty without any.

    Rejected spans have their own reason in the response.
    """
    lost = Counter(
        kind for kind in passed if kind.reason.is_loss and kind.reason is not Reason.REJECTED
    )
    if not lost:
        return ""
    named = ", ".join(
        f"{count:,} × {kind.operation} of {kind.instrumentation or 'an unnamed library'} "
        f"({kind.reason.label})"
        for kind, count in lost.most_common(_NAMED)
    )
    more = f" and {len(lost) - _NAMED:,} other kinds" if len(lost) > _NAMED else ""
    return f"spans with tokens that were not counted: {named}{more}"


def _judge(
    spans: Sequence[Span],
    calls: Mapping[SpanKey, UsageReport],
    known: Mapping[SpanKey, SpanMark],
) -> tuple[dict[SpanKey, SpanMark], list[UsageReport]]:
    """The marks after some spans, and the reports of those that count."""
    marks = dict(known)
    chosen = []
    ordered = _inside_out(spans)
    _mark_below(ordered, marks)
    for span in ordered:
        key, parent = span.key, (span.trace_id, span.parent_id)
        mark = marks.get(key)
        if key in calls and mark in {None, SpanMark.COUNTED}:
            mark = marks[key] = SpanMark.COUNTED
            chosen.append(calls[key])
        if span.parent_id and mark in {SpanMark.COUNTED, SpanMark.ABOVE}:
            marks.setdefault(parent, SpanMark.ABOVE)
    _mark_below(ordered, marks)
    return marks, chosen


def _mark_below(ordered: Sequence[Span], marks: dict[SpanKey, SpanMark]) -> None:
    """Mark the spans below a counted span, from the outside in."""
    for span in reversed(ordered):
        if marks.get((span.trace_id, span.parent_id)) in {SpanMark.COUNTED, SpanMark.BELOW}:
            marks.setdefault(span.key, SpanMark.BELOW)


def _inside_out(spans: Sequence[Span]) -> list[Span]:
    """Spans in an order in which each one follows all spans below it."""
    by_key = {span.key: span for span in spans}
    depths: dict[SpanKey, int] = {}
    for span in spans:
        path = []
        at: Span | None = span
        while at is not None and at.key not in depths and at.key not in path:
            path.append(at.key)
            at = by_key.get((at.trace_id, at.parent_id))
        depth = depths.get(at.key, 0) if at is not None else 0
        for key in reversed(path):
            depth += 1
            depths[key] = depth
    return sorted(spans, key=lambda span: -depths[span.key])
