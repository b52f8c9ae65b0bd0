"""Traces → reports: each call of a model once, however many spans tell of it.

A framework's span and the SDK's below it, or an SDK's and the gateway's, say the same usage twice.
The innermost one counts, as it is closest to the provider. Spans end from the inside out, so the
inner one is there first or with the other, but the outer one may come in a later body, after a
restart even: what stands above and below counted spans is therefore remembered on disk, before the
spans are counted. A span that is sent again is found as it was and known by its id.

What tells of tokens and is not counted is noted (`skipped_telemetry.py`). Where its
tokens may be counted nowhere, the sender is told so.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from outlay.domain.errors import Invalid
from outlay.domain.event import MAX_FUTURE
from outlay.domain.span_mark import SpanKey, SpanMark
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import Clock, in_us, to_us
from outlay.services.recording.recorder import Recorder, check_time
from outlay.services.recording.skipped_telemetry import PassedKind, PassedOver, Reason
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.span_marks import drop_marks, find_marks, put_marks
from outlay.wire.otlp.genai import is_sum, report_of
from outlay.wire.otlp.senders import with_models
from outlay.wire.otlp.skipped import operation_of, tells_tokens
from outlay.wire.otlp.spans import Span

KEPT: Final = timedelta(days=1)
"""How long a trace may take from its first span to its last."""
_DROP_EVERY_US: Final = 3_600_000_000
_NAMED: Final = 3
"""Kinds of lost spans that an answer names."""


class Tracing:
    """Records the calls of models in traces."""

    def __init__(
        self, directory: Directory, recorder: Recorder, passed_over: PassedOver, clock: Clock
    ) -> None:
        self._directory = directory
        self._recorder = recorder
        self._passed_over = passed_over
        self._clock = clock
        self._dropped_us = 0

    def record(self, organization_id: str, spans: Sequence[Span]) -> tuple[int, str]:
        """Record spans; returns once they are on disk.

        How many calls were rejected for their time or counts, and what the sender should know:
        why the first of them was, and which spans with tokens were passed over.
        """
        spans = with_models(spans)
        calls, left_out, reason = self._calls(spans)
        marks, chosen = self._choose(organization_id, spans, calls)
        self._recorder.record(organization_id, chosen)
        counted = {report.event_id for report in chosen}
        passed = [
            PassedKind(_why(span, left_out, marks), span.scope, operation_of(span))
            for span in spans
            if (span.key not in calls or calls[span.key].event_id not in counted)
            and tells_tokens(span)
        ]
        self._passed_over.note(organization_id, passed)
        rejected = sum(why is Reason.REJECTED for why in left_out.values())
        return rejected, "; ".join(filter(None, (reason, _warning(passed))))

    def _calls(
        self, spans: Iterable[Span]
    ) -> tuple[dict[SpanKey, UsageReport], dict[SpanKey, Reason], str]:
        """The reports of those spans that are calls of models, and which were left out."""
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
                # Two instrumentations side by side tell of one answer.
                answer = (span.trace_id, report.response_id)
                if answer in answers:
                    left_out[span.key] = Reason.SAME_ANSWER
                    continue
                answers.add(answer)
            calls[span.key] = report
        return calls, left_out, reason

    def _choose(
        self, organization_id: str, spans: Sequence[Span], calls: Mapping[SpanKey, UsageReport]
    ) -> tuple[Mapping[SpanKey, SpanMark], list[UsageReport]]:
        """Where spans stand, which is remembered, and the reports that count."""
        now_us = to_us(self._clock.now())
        keys = {span.key for span in spans}
        keys |= {(span.trace_id, span.parent_id) for span in spans if span.parent_id}
        if not calls:
            with self._directory.read() as session:
                if not find_marks(session, organization_id, keys):
                    return {}, []  # nothing to do with calls: the writers are left alone
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


def _warning(passed: Iterable[PassedKind]) -> str:
    """What is said of spans whose tokens may be counted nowhere; empty when there are none.

    Rejected ones have a reason of their own in the answer.
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
    """What is known after some spans, and the reports of those that count."""
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
    """Mark what stands below a counted span, from the outside in."""
    for span in reversed(ordered):
        if marks.get((span.trace_id, span.parent_id)) in {SpanMark.COUNTED, SpanMark.BELOW}:
            marks.setdefault(span.key, SpanMark.BELOW)


def _inside_out(spans: Sequence[Span]) -> list[Span]:
    """Spans so that each one comes after all that are below it."""
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
