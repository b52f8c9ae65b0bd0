"""Clocks that tests set."""

from datetime import datetime


class FixedClock:
    """A clock that stays at one instant until it is set to another."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        """The instant it was last set to."""
        return self.instant
