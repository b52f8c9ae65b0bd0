"""Why requests failed: every code has a sentence, the same everywhere."""

import re
from pathlib import Path

import pytest

from outlay.domain.event import Status
from outlay.domain.failure import FAILURES, describe_failure
from outlay.services.gateway.gateway import INTERRUPTED

ROOT = Path(__file__).parents[3]
PROXY = ROOT / "src/outlay/web/proxy"


def test_every_recorded_error_code_is_explained() -> None:
    source = "".join(path.read_text() for path in PROXY.glob("*.py"))
    raised = re.findall(r'UpstreamFailure\(\s*"([a-z-]+)"', source)
    recorded = re.findall(r'_ending\(Status\.\w+, "([a-z-]+)"', source)

    assert len(raised) > 5
    assert recorded
    assert {*raised, *recorded, INTERRUPTED} <= FAILURES.keys()


@pytest.mark.parametrize(
    ("status", "code", "http_status", "said"),
    [
        (Status.OK, "", 200, ""),
        (Status.UPSTREAM_ERROR, "upstream-429", 429, FAILURES["upstream-429"]),
        (Status.UPSTREAM_ERROR, "", 429, FAILURES["upstream-429"]),
        (Status.CLIENT_ERROR, "upstream-418", 418, "HTTP status 418 (I'm a Teapot)"),
        (Status.UPSTREAM_ERROR, "upstream-599", 599, "HTTP status 599. The provider had"),
        (Status.UPSTREAM_ERROR, "RateLimitError", 429, "the error “RateLimitError”"),
        (Status.UPSTREAM_ERROR, "upstream-²", None, "the error “upstream-²”"),
        (Status.CANCELED, "", None, "canceled"),
        (Status.GATEWAY_ERROR, "", 502, "The gateway failed"),
        (Status.UPSTREAM_ERROR, "", None, "gave no reason"),
    ],
)
def test_failure_is_explained_as_far_as_known(
    status: Status, code: str, http_status: int | None, said: str
) -> None:
    found = describe_failure(status, code, http_status)

    assert said in found
    assert bool(found) is (status is not Status.OK)
