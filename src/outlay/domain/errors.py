"""Everything that can go wrong on purpose, as one tree.

OutlayError
├── Invalid           the request itself is wrong; says what and how to mend it
├── Unauthenticated   nobody we know
├── NotPermitted      somebody we know, who may not
├── NotFound          no such thing, or not yours: the two are never told apart
├── Conflict          contradicts what is already on record
├── LimitReached      would spend more than somebody allowed
├── Unavailable       could be done, but not now: full disk, full queue, shutting down
├── Damaged           stored data fails its checksum or is missing; never answered from
└── Locked            another process has the data directory open

Each error carries an `ErrorCode` (stable, for programs) and a sentence (for people). Which
HTTP status or exit code that becomes is the business of the outermost layer.
"""

from datetime import datetime
from typing import ClassVar

from outlay.domain.error_codes import ErrorCode


class OutlayError(Exception):
    """Base of all errors that are answers rather than bugs."""

    default_code: ClassVar[ErrorCode] = ErrorCode.ERROR

    def __init__(
        self, message: str, *, code: ErrorCode | None = None, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.field = field
        """The parameter or field at fault, where one is."""


class Invalid(OutlayError):
    """The request or file is malformed or asks for something that does not exist."""

    default_code = ErrorCode.INVALID


class Unauthenticated(OutlayError):
    """No credential, or one that is unknown, expired or revoked."""

    default_code = ErrorCode.UNAUTHENTICATED


class NotPermitted(OutlayError):
    """The credential is good but does not allow this; the code says whether role or plan lacks."""

    default_code = ErrorCode.NOT_PERMITTED


class NotFound(OutlayError):
    """There is no such object, or it belongs to somebody else."""

    default_code = ErrorCode.NOT_FOUND


class Conflict(OutlayError):
    """The same identity was recorded before with other content."""

    default_code = ErrorCode.CONFLICT


class LimitReached(OutlayError):
    """A spend limit has no room; the message names it and says when it resets."""

    default_code = ErrorCode.SPEND_LIMIT_REACHED

    def __init__(self, message: str, *, resets_at: datetime, retry_after: int | None) -> None:
        super().__init__(message)
        self.resets_at = resets_at
        """When the limit starts anew."""
        self.retry_after = retry_after
        """Seconds after which the request may fit; None when waiting for that makes no sense."""


class Unavailable(OutlayError):
    """Cannot be served now; trying again later is right."""

    default_code = ErrorCode.UNAVAILABLE


class TooManyAttempts(Unavailable):
    """Somebody has failed too often; it tells when to come back."""

    default_code = ErrorCode.TOO_MANY_ATTEMPTS

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds."""


class Damaged(OutlayError):
    """Stored data does not match its checksum; it is reported, never summed."""

    default_code = ErrorCode.DAMAGED


class Locked(OutlayError):
    """The data directory belongs to another running process."""

    default_code = ErrorCode.LOCKED
