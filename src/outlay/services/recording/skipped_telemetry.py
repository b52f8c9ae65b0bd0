"""What readers of telemetry leave out although it tells of tokens: counted, by why and by whom.

Since the start of this process and in memory: senders choose the names, so there is a bound to how
many of them an organization has. Whatever comes after that is counted without its name.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from outlay.domain.ids import OrganizationId
from outlay.kit.clock import Clock, to_us

MAX_KINDS: Final = 100
"""Kinds of one organization that are counted by name, for each reason."""

MAX_NAME: Final = 80
"""Characters of a sender's name that are kept."""

OTHERS: Final = "(others)"
"""In the place of names beyond the bound."""


class Reason(StrEnum):
    """Why something with tokens was not counted; its value is the word used in the API."""

    NO_CALL = "noCall"
    """An agent, a chain or a tool, and no call of a model is known inside or around it."""
    UNKNOWN_CONVENTION = "unknownConvention"
    """It tells of tokens in words that the reader does not know, or of no model."""
    REJECTED = "rejected"
    """Its time cannot be right."""
    COUNTED_ELSEWHERE = "countedElsewhere"
    """A span inside or around it tells of the same call and is counted."""
    SAME_ANSWER = "sameAnswer"
    """Another span tells of the same answer of a provider and is counted."""

    @property
    def label(self) -> str:
        """What it is called on pages and in messages."""
        return _LABELS[self]

    @property
    def is_loss(self) -> bool:
        """Whether its tokens may be counted nowhere."""
        return self in {Reason.NO_CALL, Reason.UNKNOWN_CONVENTION, Reason.REJECTED}


_LABELS: Final = {
    Reason.NO_CALL: "no call of a model is known inside it",
    Reason.UNKNOWN_CONVENTION: "in words that are not known",
    Reason.REJECTED: "its time cannot be right",
    Reason.COUNTED_ELSEWHERE: "counted by a span inside or around it",
    Reason.SAME_ANSWER: "counted by another span of the same answer",
}


@dataclass(frozen=True, slots=True)
class PassedKind:
    """What was passed over, in the words of its sender."""

    reason: Reason
    instrumentation: str
    """The library that made it; empty where it does not say."""
    operation: str
    """Its kind, or its name where it has no kind."""


@dataclass(frozen=True, slots=True)
class PassedCount:
    """How often something was passed over since the start."""

    kind: PassedKind
    count: int
    first_us: int
    last_us: int


class PassedOver:
    """Counts what is passed over, by organization. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, dict[PassedKind, PassedCount]] = {}
        self.since_us: Final = to_us(clock.now())
        """When counting began."""

    def note(self, organization_id: OrganizationId, kinds: Iterable[PassedKind]) -> None:
        """Count each of some."""
        now_us = to_us(self._clock.now())
        with self._lock:
            counts = self._counts.setdefault(organization_id, {})
            for kind in kinds:
                known = self._known(counts, kind)
                before = counts.get(known)
                counts[known] = PassedCount(
                    known,
                    before.count + 1 if before else 1,
                    before.first_us if before else now_us,
                    now_us,
                )

    def counts(self, organization_id: OrganizationId) -> list[PassedCount]:
        """What was passed over: losses first, then by how often."""
        with self._lock:
            found = [*self._counts.get(organization_id, {}).values()]
        return sorted(found, key=lambda one: (not one.kind.reason.is_loss, -one.count))

    @staticmethod
    def _known(counts: dict[PassedKind, PassedCount], kind: PassedKind) -> PassedKind:
        """What something is counted as: itself while there is room for its name."""
        short = PassedKind(kind.reason, kind.instrumentation[:MAX_NAME], kind.operation[:MAX_NAME])
        if short in counts:
            return short
        same = sum(1 for each in counts if each.reason is kind.reason)
        return short if same < MAX_KINDS else PassedKind(kind.reason, OTHERS, OTHERS)
