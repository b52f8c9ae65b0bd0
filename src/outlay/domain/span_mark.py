"""Where a span of a trace stands towards the calls that have been counted."""

from enum import StrEnum

SpanKey = tuple[str, str]
"""Trace and span id."""


class SpanMark(StrEnum):
    """What is known of a span."""

    COUNTED = "counted"
    ABOVE = "above"
    """One of the spans below it has been counted: what it says of usage is in there already."""
    BELOW = "below"
    """One of the spans above it has been counted."""
