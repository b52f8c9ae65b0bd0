"""Spans with counts of tokens that were not recorded, and that no recorded call stands below.

They are sums of an agent whose calls are not told, or of a kind that nobody here knows: usage that
no figure has. They are counted since the start, by organization and kind.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

MAX_KINDS: Final = 50
MAX_ORGANIZATIONS: Final = 1_000
SHOWN_KINDS: Final = 3
OTHER: Final = "other"


class PassedOver:
    """How many there were since the start. Thread-safe."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}
        self._lock = threading.Lock()

    def note(self, organization_id: str, kinds: Iterable[str]) -> None:
        """Count spans by their kinds."""
        with self._lock:
            if organization_id not in self._counts and len(self._counts) >= MAX_ORGANIZATIONS:
                self._counts.clear()
            counts = self._counts.setdefault(organization_id, Counter())
            for kind in kinds:
                counts[kind if kind in counts or len(counts) < MAX_KINDS else OTHER] += 1

    def of(self, organization_id: str) -> Mapping[str, int]:
        """The counts of an organization by kind, the most first."""
        with self._lock:
            return dict(self._counts.get(organization_id, Counter()).most_common())


def describe(kinds: Counter[str]) -> str:
    """What a sender is told of spans that were passed over."""
    shown = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common(SHOWN_KINDS))
    return (
        f"{kinds.total()} span(s) with token counts were passed over, as they are no calls of a "
        f"model and no call below them was sent: {shown}. Send the spans of the calls too."
    )
