"""The relation of a trace's span to the counted calls."""

from enum import StrEnum

SpanKey = tuple[str, str]
"""Trace and span id."""


class SpanMark(StrEnum):
    """The relation of a span to a counted call."""

    COUNTED = "counted"
    ABOVE = "above"
    """A span below it was counted: its usage is included there."""
    BELOW = "below"
    """A span above it was counted."""
