"""Explanations of failed requests: one table for pages, API and documents."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from outlay.domain.event import Status

_ANSWERED: Final = "upstream-"
"""Prefix of error codes that end in the provider's HTTP status."""

FAILURES: Final[Mapping[str, str]] = {
    "upstream-400": (
        "Bad request: the provider rejected the request as malformed or not supported by the model."
    ),
    "upstream-401": (
        "Not authenticated: the credential of the upstream is missing, wrong or expired."
    ),
    "upstream-402": "Payment required: the account at the provider is out of credit.",
    "upstream-403": "Not allowed: the account at the provider may not use this model or feature.",
    "upstream-404": "Not found: the provider has no such model or path.",
    "upstream-408": "Timeout: the provider did not receive the request in time.",
    "upstream-413": "Too large: the request exceeds the provider's size limit.",
    "upstream-422": (
        "Not processable: a field of the request has a value that the provider does not allow."
    ),
    "upstream-429": "Too many requests: usually a rate limit of the account at the provider.",
    "upstream-500": "Internal error of the provider.",
    "upstream-502": "Bad gateway: an error between servers of the provider.",
    "upstream-503": "Unavailable: the provider is usually overloaded.",
    "upstream-504": "Timeout: servers of the provider did not answer in time.",
    "upstream-529": "Overloaded: the provider has too much load. Try again later.",
    "upstream-error": "The provider reported an error in the middle of its answer.",
    "upstream-garbled": "The provider's answer could not be read.",
    "upstream-cut-off": "The provider closed the connection before the answer was complete.",
    "upstream-timeout": "The provider did not answer in time.",
    "upstream-unreachable": "The provider is unreachable: no connection could be made.",
    "upstream-unknown-host": (
        "The provider's host name does not resolve. Check the upstream's base URL."
    ),
    "upstream-forbidden-address": (
        "The gateway is not allowed to connect to the provider's address. Check the upstream's "
        "base URL."
    ),
    "upstream-redirect": (
        "The provider returned a redirect, which the gateway does not follow. Check the upstream's "
        "base URL."
    ),
    "out-of-files": (
        "The gateway had no file descriptor left for a connection. Raise its limit of open files."
    ),
    "client-gone": "The client closed the connection before the answer was complete.",
    "gateway-stopped": "The gateway was shut down during the request.",
    "gateway-interrupted": "The gateway terminated unexpectedly during the request.",
    "internal": "The gateway had an internal error. See its log for details.",
}
"""Error code → explanation and, where possible, what to do."""

_BY_STATUS: Final[Mapping[Status, str]] = {
    Status.CLIENT_ERROR: "The request was invalid. The sender gave no reason.",
    Status.UPSTREAM_ERROR: "The provider failed. The sender gave no reason.",
    Status.GATEWAY_ERROR: "The gateway failed. The sender gave no reason.",
    Status.CANCELED: "The client canceled the request before the answer was complete.",
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
        return f"The request failed with the error “{error_code}”. No details were recorded."
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
    fault = "The provider had an error." if code >= 500 else "It rejected the request."
    return f"The provider returned the HTTP status {phrase}. {fault}"
