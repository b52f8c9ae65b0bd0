"""The result of submitting an event to the ledger."""

from enum import StrEnum


class Outcome(StrEnum):
    """The result for one event of a submission."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """Already recorded with the same content: a success, counted once."""
    CONFLICT = "conflict"
    """Already recorded with different content: rejected, and the attempt is recorded."""
