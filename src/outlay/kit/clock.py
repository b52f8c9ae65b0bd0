"""The only source of the current time."""

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

MICROSECONDS: Final = 1_000_000
"""Microseconds per second: on the hot path, instants are integer microseconds since the epoch."""

FOREVER_US: Final = 2**63 - 1
"""The end of a time range that has no end."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """A source of the current time; tests use a fixed one."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the door the rule points to


def to_us(instant: datetime) -> int:
    """Microseconds from the epoch to the aware `instant`, exact (without floats)."""
    return in_us(instant - EPOCH)


def in_us(span: timedelta) -> int:
    """A duration in microseconds."""
    return (span.days * 86_400 + span.seconds) * MICROSECONDS + span.microseconds


def from_us(us: int) -> datetime:
    """The aware UTC instant that is `us` microseconds after the epoch."""
    seconds, micros = divmod(us, MICROSECONDS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
