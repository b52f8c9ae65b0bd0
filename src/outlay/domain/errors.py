"""All expected errors, as one tree.

OutlayError
├── Invalid           the request is wrong; the message says what and how to fix it
├── Unauthenticated   the caller is unknown
├── NotPermitted      the caller is known but not allowed to do this
├── NotFound          the object does not exist or belongs to others: both look the same
├── Conflict          contradicts recorded data
├── LimitReached      would exceed a spend limit
├── Unavailable       possible, but not now: full disk, full queue, shutdown
├── Damaged           stored data fails its checksum or is missing; it is never used
└── Locked            another process has the data directory open

Each error has an `ErrorCode` (stable, for programs) and a message, a full sentence (for
people). The outermost layer maps errors to HTTP statuses and exit codes.
"""

from datetime import datetime
from typing import ClassVar

from outlay.domain.error_codes import ErrorCode


class OutlayError(Exception):
    """Base of all expected errors; anything else is a bug."""

    default_code: ClassVar[ErrorCode] = ErrorCode.ERROR

    def __init__(
        self, message: str, *, code: ErrorCode | None = None, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.field = field
        """The parameter or field at fault, if there is one."""


class Invalid(OutlayError):
    """The request or file is malformed or asks for something that does not exist."""

    default_code = ErrorCode.INVALID


class Unauthenticated(OutlayError):
    """No credential, or one that is unknown, expired or revoked."""

    default_code = ErrorCode.UNAUTHENTICATED


class NotPermitted(OutlayError):
    """The credential is valid but does not allow this; the code says whether role, plan or scope is
    missing."""

    default_code = ErrorCode.NOT_PERMITTED


class NotFound(OutlayError):
    """The object does not exist or belongs to another organization."""

    default_code = ErrorCode.NOT_FOUND


class Conflict(OutlayError):
    """The request contradicts recorded data: the same identity exists with different content."""

    default_code = ErrorCode.CONFLICT


class LimitReached(OutlayError):
    """A spend limit has no room left; the message names the limit and its reset."""

    default_code = ErrorCode.SPEND_LIMIT_REACHED

    def __init__(self, message: str, *, resets_at: datetime, retry_after: int | None) -> None:
        super().__init__(message)
        self.resets_at = resets_at
        """When the limit resets."""
        self.retry_after = retry_after
        """Seconds after which the request may fit; None if waiting is pointless."""


class Unavailable(OutlayError):
    """The request cannot be served now; a retry may succeed."""

    default_code = ErrorCode.UNAVAILABLE


class TooManyAttempts(Unavailable):
    """Too many failed attempts; `retry_after` says when to try again."""

    default_code = ErrorCode.TOO_MANY_ATTEMPTS

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds."""


class Damaged(OutlayError):
    """Stored data does not match its checksum; it is reported and never summed."""

    default_code = ErrorCode.DAMAGED


class Locked(OutlayError):
    """The data directory is in use by another process."""

    default_code = ErrorCode.LOCKED
