"""What became of an event that was offered to the ledger."""

from enum import StrEnum


class Outcome(StrEnum):
    """The fate of one event of a submission."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """Known with the same content: success, counted once."""
    CONFLICT = "conflict"
    """Known with other content: refused, and the attempt is kept on record."""
