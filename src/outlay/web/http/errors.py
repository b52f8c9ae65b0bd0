"""Domain errors as HTTP responses: one table of statuses, one format (RFC 9457)."""

import errno
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import (
    Conflict,
    Damaged,
    Invalid,
    LimitReached,
    NotFound,
    NotPermitted,
    OutlayError,
    Unauthenticated,
    Unavailable,
)

STATUS: Final[dict[type[OutlayError], int]] = {
    Invalid: 400,
    Unauthenticated: 401,
    NotPermitted: 403,
    NotFound: 404,
    Conflict: 409,
    LimitReached: 429,
    Damaged: 500,
    Unavailable: 503,
}

_STATUS_OF_CODE: Final = {
    ErrorCode.BUSY: 409,
    ErrorCode.TOO_MANY_ATTEMPTS: 429,
    ErrorCode.BODY_TOO_LARGE: 413,
    ErrorCode.ENCODED_BODY: 415,
    ErrorCode.UNKNOWN_MEDIA_TYPE: 415,
    ErrorCode.LOOP_DETECTED: 508,
}
"""More specific statuses than that of the error's class."""

TITLES: Final = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not permitted",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Cannot be read",
    421: "Not this server",
    429: "Too many attempts",
    500: "Something went wrong",
    503: "Not available now",
}


def status_of(error: OutlayError) -> int:
    """The HTTP status of a domain error."""
    if error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    for kind, status in STATUS.items():
        if isinstance(error, kind):
            return status
    return 500


def problem(
    status: int,
    code: ErrorCode,
    detail: str,
    *,
    field: str | None = None,
    request: Request | None = None,
    retry_after: int | None = None,
) -> Response:
    """An `application/problem+json` response."""
    body = {
        "type": f"/problems/{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
    }
    if field:
        body["field"] = field
    if request is not None:
        body["instance"] = request.url.path
        body["requestId"] = request.scope.get("request_id", "")
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = _challenge(request)
    if status == 503 or retry_after is not None:
        headers["Retry-After"] = str(retry_after or 2)
    return Response(
        orjson.dumps(body), status, headers=headers, media_type="application/problem+json"
    )


def _challenge(request: Request | None) -> str:
    """How to authenticate (RFC 9110, RFC 7617).

    A browser that is offered Basic asks its user for a password and keeps it, so requests of pages
    are only offered Bearer.
    """
    is_browser = request is not None and "sec-fetch-site" in request.headers
    return _BEARER if is_browser else f"{_BEARER}, {_BASIC}"


_BEARER: Final = 'Bearer realm="Outlay"'
_BASIC: Final = 'Basic realm="Outlay", charset="UTF-8"'


def is_out_of_files(error: BaseException | None) -> bool:
    """Whether an error means that this process or the machine has no file descriptors left."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
            return True
        error = error.__cause__ or error.__context__
    return False


def out_of_files() -> Unavailable:
    """The error for that case."""
    return Unavailable(
        "The server has no file descriptors left. Try again in a moment. If this persists, raise "
        "the limit (ulimit -n).",
        code=ErrorCode.OUT_OF_FILES,
    )


def wants_html(request: Request) -> bool:
    """Whether the request is from a person's browser rather than a program."""
    return "text/html" in request.headers.get("accept", "")
