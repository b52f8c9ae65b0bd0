"""The formats in which usage events arrive, and the handling of malformed bodies."""

import gzip
import json
import random
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_api import event_body, summary

from outlay.web.http.body import MAX_GZIP_MEMBERS, MAX_INGEST

URL = "/v1/usage/events"


def lines(events: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def windows_lines(events: list[dict[str, Any]]) -> bytes:
    """Lines with CR LF, some of them blank."""
    return b"\r\n" + lines(events).replace(b"\n", b"\r\n\n")


FORMS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "array": lambda events: json.dumps(events).encode(),
    "indented array": lambda events: json.dumps(events, indent=2).encode(),
    "lines": lines,
    "lines without the last end": lambda events: lines(events).rstrip(),
    "lines of Windows, some blank": lambda events: (
        b"\r\n" + lines(events).replace(b"\n", b"\r\n\n")
    ),
}


def send(server: Server, tenant: Tenant, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = server.http.post(URL, content=body, headers={**tenant.headers, **headers})
    return answer.status_code, answer.json()


def counted(server: Server, tenant: Tenant) -> int:
    server.services.projection.catch_up()
    return int(summary(server, tenant)["requestCount"])


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("form", FORMS)
def test_every_body_format_yields_the_same_events(server: Server, form: str, encoding: str) -> None:
    tenant = server.tenant()
    events = [event_body() for _ in range(3)]
    body = FORMS[form](events)

    status, answer = send(
        server,
        tenant,
        gzip.compress(body) if encoding == "gzip" else body,
        **{"Content-Encoding": encoding},
    )
    again, known = send(server, tenant, json.dumps(events).encode())

    assert (status, again) == (200, 200)
    assert [entry["eventId"] for entry in answer["results"]] == [e["eventId"] for e in events]
    assert (answer["accepted"], known["duplicate"]) == (3, 3)
    assert counted(server, tenant) == 3


@pytest.mark.parametrize("indent", [None, 2])
def test_single_event_needs_no_array(server: Server, indent: int | None) -> None:
    tenant = server.tenant()

    status, answer = send(server, tenant, json.dumps(event_body(), indent=indent).encode())

    assert (status, answer["accepted"]) == (200, 1)


def test_gzip_with_several_members_is_accepted(server: Server) -> None:
    tenant = server.tenant()
    parts = [gzip.compress(lines([event_body()])) for _ in range(2)]

    status, answer = send(server, tenant, b"".join(parts), **{"Content-Encoding": "gzip"})

    assert (status, answer["accepted"]) == (200, 2)


def test_empty_gzip_members_are_bounded(server: Server) -> None:
    event = gzip.compress(lines([event_body()]))
    body = gzip.compress(b"") * (MAX_GZIP_MEMBERS - 1) + event

    status, answer = send(server, server.tenant(), body, **{"Content-Encoding": "gzip"})

    assert (status, answer["accepted"]) == (200, 1)

    tenant, started = server.tenant(), time.monotonic()
    body = gzip.compress(b"") * 1_000_000 + event

    status, answer = send(server, tenant, body, **{"Content-Encoding": "gzip"})

    assert (status, answer["code"]) == (400, "malformed-gzip")
    assert time.monotonic() - started < 5  # a million members took 21 s


def test_invalid_line_is_named_by_event_and_field_and_nothing_is_stored(server: Server) -> None:
    tenant = server.tenant()
    bad = event_body(usage={"inputTokens": -1, "outputTokens": 0})

    status, answer = send(server, tenant, b"\n" + lines([event_body(), event_body(), bad]))

    assert (status, answer["field"]) == (400, "$[2].usage.inputTokens")
    assert counted(server, tenant) == 0


def test_line_that_is_not_json_is_named(server: Server) -> None:
    tenant = server.tenant()

    status, answer = send(server, tenant, lines([event_body()]) + b'{"eventId": \n')

    assert (status, answer["code"]) == (400, "malformed-json")
    assert "line 2" in answer["detail"]
    assert counted(server, tenant) == 0


def test_single_event_over_several_lines_is_validated(server: Server) -> None:
    body = json.dumps(event_body(usge={}), indent=2).encode()

    status, answer = send(server, server.tenant(), body)

    assert (status, answer["field"]) == (400, "$[0]")
    assert "usge" in answer["detail"]


GZIPPED = gzip.compress(lines([event_body()]))


@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        (GZIPPED[:-9], "gzip", 400, "malformed-gzip"),
        (GZIPPED[:-1] + b"\1", "gzip", 400, "malformed-gzip"),
        (GZIPPED + b"more", "gzip", 400, "malformed-gzip"),
        (b"[]", "gzip", 400, "malformed-gzip"),
        (zlib.compress(b"[]"), "gzip", 400, "malformed-gzip"),
        (GZIPPED, "br", 415, "encoded-body"),
        (GZIPPED, "identity", 400, "malformed-json"),
        (gzip.compress(b" " * (MAX_INGEST + 1)), "gzip", 413, "body-too-large"),
        (gzip.compress(b" " * MAX_INGEST) * 2, "gzip", 413, "body-too-large"),
        (b" " * (MAX_INGEST + 1), "identity", 413, "body-too-large"),
    ],
    ids=range(10),
)
def test_invalid_gzip_body_is_refused(
    server: Server, body: bytes, encoding: str, status: int, code: str
) -> None:
    found, answer = send(server, server.tenant(), body, **{"Content-Encoding": encoding})

    assert (found, answer["code"]) == (status, code)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    form=st.sampled_from(sorted(FORMS)),
    seed=st.integers(0, 2**32),
    edits=st.integers(1, 4),
    zipped=st.booleans(),
)
def test_damaged_body_is_stored_completely_or_not_at_all(
    server: Server, form: str, seed: int, edits: int, zipped: bool
) -> None:
    tenant = server.tenant()
    generator = random.Random(seed)
    body = bytearray(FORMS[form]([event_body() for _ in range(3)]))
    for _ in range(edits):
        place = generator.randrange(len(body))
        body[place : place + generator.randrange(3)] = generator.randbytes(generator.randrange(3))
    sent = gzip.compress(bytes(body)) if zipped else bytes(body)

    status, answer = send(
        server, tenant, sent, **{"Content-Encoding": "gzip" if zipped else "identity"}
    )

    assert status in (200, 400, 409)
    if status == 400:
        assert answer["detail"]
        assert counted(server, tenant) == 0
    else:
        assert counted(server, tenant) == answer["accepted"]
        assert len(answer["results"]) == sum(
            answer[outcome] for outcome in ("accepted", "duplicate", "conflict")
        )
