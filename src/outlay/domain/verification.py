"""The result of verifying the cube against the ledger."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from typing_extensions import override

MAX_DIFFERENCES: Final = 50
"""Maximum number of listed differences; the rest is only counted."""


class VerificationState(StrEnum):
    """State of the last verification of the cube against the ledger."""

    VERIFIED = "verified"
    DIFFERS = "differs"
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The outcome of the last verification."""

    state: VerificationState = VerificationState.NOT_RUN
    at: datetime | None = None
    events: int = 0
    """Events of the ledger that were read."""
    through_seq: int = 0
    """The ledger position through which they were compared with the cube."""
    through: datetime | None = None
    """Every event acknowledged before this instant was compared."""
    finding: str = ""
    """What differs; empty if nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A value in which ledger and cube differ."""

    where: str
    measure: str
    ledger: int
    cube: int

    @override
    def __str__(self) -> str:
        return (
            f"{self.where}: {self.measure} is {self.ledger} in the ledger, {self.cube} in the cube"
        )


@dataclass(slots=True, kw_only=True)
class VerifyReport:
    """The report of a verification."""

    events: int = 0
    """Events with valid checksums."""
    days: int = 0
    """Days with usage, over all organizations."""
    cells: int = 0
    """Rows of the usage rollup."""
    through_seq: int = 0
    """The ledger position up to which everything was compared."""
    cost_pusd: int = 0
    difference_count: int = 0
    differences: list[Difference] = field(default_factory=list)
    damage: str | None = None
    """Why the ledger itself is damaged; None if every checksum is valid."""

    @property
    def is_proven(self) -> bool:
        """Whether ledger and cube are equal."""
        return not self.difference_count and self.damage is None

    @property
    def is_full(self) -> bool:
        """Whether the list of differences is full."""
        return len(self.differences) >= MAX_DIFFERENCES

    @property
    def finding(self) -> str:
        """What is wrong, as a sentence; empty if nothing is."""
        if self.damage is not None:
            return self.damage
        if not self.difference_count:
            return ""
        return f"{self.difference_count:,} differences; the first one: {self.differences[0]}"

    def add(self, where: str, measure: str, *, ledger: int, cube: int) -> None:
        """Compare two values and record a difference."""
        if ledger == cube:
            return
        self.difference_count += 1
        if not self.is_full:
            self.differences.append(
                Difference(where=where, measure=measure, ledger=ledger, cube=cube)
            )
