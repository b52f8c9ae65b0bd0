"""Counts of telemetry that has tokens but was not counted, by reason and sender.

Since the start of this process and in memory. Senders choose the names, so their number per
organization is bounded; further ones are counted without their name.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from outlay.domain.ids import OrganizationId
from outlay.kit.clock import Clock, to_us

MAX_KINDS: Final = 100
"""Maximum number of named kinds per organization and reason."""

MAX_NAME: Final = 80
"""Longest name, in characters."""

OTHERS: Final = "(others)"
"""Replaces names beyond the limit."""


class Reason(StrEnum):
    """Why telemetry with tokens was not counted; its value is the word used in the API."""

    NO_CALL = "noCall"
    """An agent, a chain or a tool without a known model call inside or around it."""
    UNKNOWN_CONVENTION = "unknownConvention"
    """Its tokens are in an unknown convention, or without a model."""
    REJECTED = "rejected"
    """Its time is not plausible."""
    COUNTED_ELSEWHERE = "countedElsewhere"
    """A span inside or around it describes the same call and is counted."""
    SAME_ANSWER = "sameAnswer"
    """Another span describes the same provider answer and is counted."""

    @property
    def label(self) -> str:
        """The text for pages and messages."""
        return _LABELS[self]

    @property
    def is_loss(self) -> bool:
        """Whether its tokens may be counted nowhere."""
        return self in {Reason.NO_CALL, Reason.UNKNOWN_CONVENTION, Reason.REJECTED}


_LABELS: Final = {
    Reason.NO_CALL: "no known model call inside it",
    Reason.UNKNOWN_CONVENTION: "unknown convention",
    Reason.REJECTED: "implausible time",
    Reason.COUNTED_ELSEWHERE: "counted by a span inside or around it",
    Reason.SAME_ANSWER: "counted by another span of the same response",
}


@dataclass(frozen=True, slots=True)
class SkippedKind:
    """A kind of skipped telemetry, in its sender's words."""

    reason: Reason
    instrumentation: str
    """The library that created it; empty if unknown."""
    operation: str
    """Its kind, or its name if it has no kind."""


@dataclass(frozen=True, slots=True)
class SkippedCount:
    """The number of skipped spans of one kind since the start."""

    kind: SkippedKind
    count: int
    first_us: int
    last_us: int


class SkippedTelemetry:
    """Counts skipped telemetry by organization. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, dict[SkippedKind, SkippedCount]] = {}
        self.since_us: Final = to_us(clock.now())
        """The start of counting."""

    def note(self, organization_id: OrganizationId, kinds: Iterable[SkippedKind]) -> None:
        """Count skipped spans."""
        now_us = to_us(self._clock.now())
        with self._lock:
            counts = self._counts.setdefault(organization_id, {})
            for kind in kinds:
                known = self._known(counts, kind)
                before = counts.get(known)
                counts[known] = SkippedCount(
                    known,
                    before.count + 1 if before else 1,
                    before.first_us if before else now_us,
                    now_us,
                )

    def counts(self, organization_id: OrganizationId) -> list[SkippedCount]:
        """The counts: losses first, then by number."""
        with self._lock:
            found = [*self._counts.get(organization_id, {}).values()]
        return sorted(found, key=lambda one: (not one.kind.reason.is_loss, -one.count))

    @staticmethod
    def _known(counts: dict[SkippedKind, SkippedCount], kind: SkippedKind) -> SkippedKind:
        """The kind to count under: without its name if there is no room."""
        short = SkippedKind(kind.reason, kind.instrumentation[:MAX_NAME], kind.operation[:MAX_NAME])
        if short in counts:
            return short
        same = sum(1 for each in counts if each.reason is kind.reason)
        return short if same < MAX_KINDS else SkippedKind(kind.reason, OTHERS, OTHERS)
