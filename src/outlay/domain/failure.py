"""Explanations of failed requests: one table for pages, API and documents."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from outlay.domain.event import Status

_ANSWERED: Final = "upstream-"
"""Prefix of error codes that end in the provider's HTTP status."""

FAILURES: Final[Mapping[str, str]] = {
    "upstream-400": "The provider answered: bad request. The request itself is malformed or asks "
    "for what the model cannot do.",
    "upstream-401": "The provider answered: not authenticated. The credential of the upstream is "
    "missing, wrong or expired.",
    "upstream-402": "The provider answered: payment required. The account there is out of credit.",
    "upstream-403": "The provider answered: not allowed. The account there may not use this model "
    "or feature.",
    "upstream-404": "The provider answered: not found. It has no such model or path.",
    "upstream-408": "The provider answered: it did not get the request in time.",
    "upstream-413": "The provider answered: the request is too large.",
    "upstream-422": "The provider answered: the request cannot be processed. A field of it has a "
    "value that is not allowed.",
    "upstream-429": "The provider answered: too many requests. Usually a rate limit of your "
    "account there.",
    "upstream-500": "The provider answered: internal error. The fault is at the provider.",
    "upstream-502": "The provider answered: bad gateway. The fault is at the provider.",
    "upstream-503": "The provider answered: not available now. It is usually overloaded.",
    "upstream-504": "The provider answered: timeout. Its own servers did not answer in time.",
    "upstream-529": "The provider answered: overloaded. Requests work again when its load falls.",
    "upstream-error": "The provider began to answer and then reported an error in the answer.",
    "upstream-garbled": "The provider's answer could not be read.",
    "upstream-cut-off": "The provider closed the connection before the answer was complete.",
    "upstream-timeout": "The provider did not answer in time.",
    "upstream-unreachable": "The provider could not be reached: no connection was made.",
    "upstream-unknown-host": "The provider's host name is not known. Check the address of the "
    "upstream.",
    "upstream-forbidden-address": "The provider's address is one that the gateway may not connect "
    "to. Check the address of the upstream.",
    "upstream-redirect": "The provider answered with a redirect, which is not followed. Check the "
    "address of the upstream.",
    "out-of-files": "The gateway had no file descriptor left to connect with. Raise its limit of "
    "open files.",
    "client-gone": "The client closed the connection before the answer was complete.",
    "gateway-stopped": "The gateway was shut down while the request was under way.",
    "gateway-interrupted": "The gateway ended without warning while the request was under way.",
    "internal": "The gateway failed by a mistake of its own; its log has the details.",
}
"""Error code → explanation and, where possible, what to do."""

_BY_STATUS: Final[Mapping[Status, str]] = {
    Status.CLIENT_ERROR: "The request was refused as wrong; its sender did not report why.",
    Status.UPSTREAM_ERROR: "The provider failed; the sender of the request did not report why.",
    Status.GATEWAY_ERROR: "The gateway failed; the sender of the request did not report why.",
    Status.CANCELED: "The client gave up before the answer was complete.",
}


def describe_failure(status: Status, error_code: str, http_status: int | None = None) -> str:
    """Why a request failed, as a sentence; empty if it did not fail."""
    if status is Status.OK:
        return ""
    if error_code in FAILURES:
        return FAILURES[error_code]
    answered = error_code.removeprefix(_ANSWERED) if error_code.startswith(_ANSWERED) else ""
    if answered.isascii() and answered.isdecimal() and len(answered) == 3:
        return _describe_answer(int(answered))
    if error_code:
        return f"It failed with the error “{error_code}”; no more is on record about it."
    if http_status is not None and http_status >= 400 and status is not Status.GATEWAY_ERROR:
        return _describe_answer(http_status)
    return _BY_STATUS[status]


def _describe_answer(code: int) -> str:
    """The explanation of a provider's HTTP status."""
    known = FAILURES.get(f"{_ANSWERED}{code}")
    if known is not None:
        return known
    try:
        phrase = f"{code} ({HTTPStatus(code).phrase})"
    except ValueError:
        phrase = str(code)
    fault = "The fault is at the provider." if code >= 500 else "It refused the request."
    return f"The provider answered with the HTTP status {phrase}. {fault}"
