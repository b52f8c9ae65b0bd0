"""Traces → reports: each call of a model once, however many spans tell of it.

A framework's span and the SDK's below it, or an SDK's and the gateway's, say the same usage twice.
The innermost one counts, as it is closest to the provider. Spans end from the inside out, so the
inner one is there first or with the other, but the outer one may come in a later body, after a
restart even: what stands above and below counted spans is therefore remembered on disk, before the
spans are counted. A span that is sent again is found as it was and known by its id.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from outlay.domain.errors import Invalid
from outlay.domain.event import MAX_FUTURE
from outlay.domain.report import UsageReport
from outlay.domain.span_mark import SpanKey, SpanMark
from outlay.kit.clock import Clock, in_us, to_us
from outlay.services.passed_over import PassedOver, describe
from outlay.services.recording import Recorder, check_time
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.span_marks import drop_marks, find_marks, put_marks
from outlay.wire.otlp.genai import counts_tokens, kind_of, report_of
from outlay.wire.otlp.spans import Span

KEPT: Final = timedelta(days=1)
"""How long a trace may take from its first span to its last."""
_DROP_EVERY_US: Final = 3_600_000_000


class Tracing:
    """Records the calls of models in traces."""

    def __init__(self, directory: Directory, recorder: Recorder, clock: Clock) -> None:
        self._directory = directory
        self._recorder = recorder
        self._clock = clock
        self._dropped_us = 0
        self.passed_over = PassedOver()

    def record(self, organization_id: str, spans: Sequence[Span]) -> tuple[int, str]:
        """Record spans; returns once they are on disk.

        How many calls were rejected for their time or counts, and why the first of them was; where
        none was, what is to be said of spans that were passed over.
        """
        calls, rejected, reason = self._calls(spans)
        chosen, marks = self._choose(organization_id, spans, calls)
        self._recorder.record(organization_id, chosen)
        kinds = Counter(
            kind_of(span)
            for span in spans
            if span.key not in calls and span.key not in marks and _is_uncounted(span)
        )
        if kinds:
            self.passed_over.note(organization_id, kinds.elements())
        return rejected, reason or (describe(kinds) if kinds else "")

    def _calls(self, spans: Iterable[Span]) -> tuple[dict[SpanKey, UsageReport], int, str]:
        """The reports of those spans that are calls of models."""
        latest_us = to_us(self._clock.now()) + in_us(MAX_FUTURE)
        calls: dict[SpanKey, UsageReport] = {}
        answers: set[tuple[str, str]] = set()
        rejected, reason = 0, ""
        for span in spans:
            report = report_of(span)
            if report is None:
                continue
            try:
                check_time(report.event_time_us, latest_us)
            except Invalid as error:
                rejected += 1
                reason = reason or f"span {span.span_id} ({span.name}): {error.message}"
                continue
            if report.response_id:
                # Two instrumentations side by side tell of one answer.
                answer = (span.trace_id, report.response_id)
                if answer in answers:
                    continue
                answers.add(answer)
            calls[span.key] = report
        return calls, rejected, reason

    def _choose(
        self, organization_id: str, spans: Sequence[Span], calls: Mapping[SpanKey, UsageReport]
    ) -> tuple[list[UsageReport], Mapping[SpanKey, SpanMark]]:
        """The reports that count, and where spans stand to them, which is remembered."""
        now_us = to_us(self._clock.now())
        keys = {span.key for span in spans}
        keys |= {(span.trace_id, span.parent_id) for span in spans if span.parent_id}
        if not calls:
            with self._directory.read() as session:
                known = find_marks(session, organization_id, keys)
            if not known:
                return [], known  # nothing to do with calls: the writers are left alone
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
        return chosen, marks


def _is_uncounted(span: Span) -> bool:
    """Whether a span has used tokens and is no call: one that is has been counted, or refused."""
    return counts_tokens(span) and report_of(span) is None


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
