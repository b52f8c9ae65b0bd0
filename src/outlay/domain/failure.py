"""Explanations of failed requests: one table for pages, API and documents."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from outlay.domain.event import Status

_ANSWERED: Final = "upstream-"
"""Prefix of error codes that end with the provider's HTTP status."""

FAILURES: Final[Mapping[str, str]] = {
    "upstream-400": "The provider rejected the request (400): it is malformed or uses a feature "
    "that the model does not support.",
    "upstream-401": "The provider rejected the upstream's credential (401). Check that it is set, "
    "correct and not expired.",
    "upstream-402": "The provider requires payment (402). Your account there is out of credit.",
    "upstream-403": "The provider denied access (403). Your account there may not use this model "
    "or feature.",
    "upstream-404": "The provider did not find the model or path (404).",
    "upstream-408": "The provider timed out waiting for the request (408).",
    "upstream-413": "The provider rejected the request because it is too large (413).",
    "upstream-422": "The provider rejected the request because a field has an invalid value (422).",
    "upstream-429": "The provider limited the request rate (429). Check your rate limits there.",
    "upstream-500": "The provider had an internal error (500).",
    "upstream-502": "The provider had a gateway error (502).",
    "upstream-503": "The provider was unavailable (503), usually because of overload.",
    "upstream-504": "The provider's own servers did not respond in time (504).",
    "upstream-529": "The provider was overloaded (529). Try again later.",
    "upstream-error": "The provider started to respond and then reported an error.",
    "upstream-garbled": "The provider's response could not be parsed.",
    "upstream-cut-off": "The provider closed the connection before the response was complete.",
    "upstream-timeout": "The provider did not respond in time.",
    "upstream-unreachable": "Could not connect to the provider.",
    "upstream-unknown-host": "The provider's host name could not be resolved. Check the base URL "
    "of the upstream.",
    "upstream-forbidden-address": "The provider's address is one that the gateway may not connect "
    "to. Check the base URL of the upstream.",
    "upstream-redirect": "The provider responded with a redirect, which the gateway does not "
    "follow. Check the base URL of the upstream.",
    "out-of-files": "The gateway ran out of file descriptors. Raise its limit of open files.",
    "client-gone": "The client closed the connection before the response was complete.",
    "gateway-stopped": "The gateway shut down while the request was in progress.",
    "gateway-interrupted": "The gateway stopped unexpectedly while the request was in progress.",
    "internal": "The gateway had an internal error. See its log for details.",
}
"""Error code → what happened and, where possible, how to fix it."""

_BY_STATUS: Final[Mapping[Status, str]] = {
    Status.CLIENT_ERROR: "The request was rejected as invalid. The sender did not report why.",
    Status.UPSTREAM_ERROR: "The provider failed. The sender did not report why.",
    Status.GATEWAY_ERROR: "The gateway failed. The sender did not report why.",
    Status.CANCELED: "The client canceled before the response was complete.",
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
    event = "failed" if code >= 500 else "rejected the request"
    return f"The provider {event} with HTTP status {phrase}."
