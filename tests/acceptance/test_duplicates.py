"""Possible duplicates are listed and merged; different requests never are."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_api import event_body, record, summary
from tests.acceptance.test_reprice import call
from tests.factories import NOW

from outlay.domain.duplicate import Candidate, find_duplicates
from outlay.domain.ids import EventId
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.wire.native import parse_events


@pytest.fixture
def tenant(server: Server) -> Tenant:
    return server.tenant()


def record_from(
    server: Server, tenant: Tenant, source: str, *events: dict[str, Any]
) -> list[UsageReport]:
    """Record events as another source would report them."""
    reports = parse_events(json.dumps(list(events)).encode(), source)
    server.services.recorder.record(tenant.organization.organization_id, reports)
    server.services.projection.catch_up()
    return reports


def at(seconds: float) -> str:
    return (NOW - timedelta(minutes=10) + timedelta(seconds=seconds)).isoformat()


def test_trace_without_an_answer_id_is_listed_and_merged(server: Server, tenant: Tenant) -> None:
    relayed = event_body(eventTime=at(0), responseId="chatcmpl-0123456789abcdef0123")
    record_from(server, tenant, "gateway", relayed)
    traced = event_body(eventTime=at(30))
    record(server, tenant, [traced])
    before = summary(server, tenant)
    assert before["requestCount"] == 2

    (double,) = call(server, tenant, "GET", "/api/v1/duplicates")["duplicates"]
    pair = {"kept": double["kept"]["eventId"], "dropped": double["dropped"]["eventId"]}
    assert pair == {"kept": relayed["eventId"], "dropped": traced["eventId"]}

    assert call(server, tenant, "POST", "/api/v1/duplicates/merge", {"pairs": [pair]}) == {
        "mergedCount": 1
    }

    server.services.projection.catch_up()
    after = summary(server, tenant)
    assert (after["requestCount"], after["totalTokens"]) == (1, before["totalTokens"] // 2)
    assert call(server, tenant, "GET", "/api/v1/duplicates") == {"duplicates": []}
    detail = call(server, tenant, "GET", f"/api/v1/requests/{traced['eventId']}")
    assert detail["isCounted"] is False
    again = call(server, tenant, "POST", "/api/v1/duplicates/merge", {"pairs": [pair]}, 409)
    assert again["code"] == "not-counted"


@pytest.mark.parametrize(
    "other",
    [
        {"eventTime": at(121)},
        {"model": "openai/gpt-4o-mini"},
        {"usage": {"inputTokens": 1000, "outputTokens": 101}},
        {"responseId": "chatcmpl-ffffffffffffffffffff"},
    ],
)
def test_different_requests_are_neither_listed_nor_merged(
    server: Server, tenant: Tenant, other: dict[str, Any]
) -> None:
    one = event_body(eventTime=at(0), responseId="chatcmpl-0123456789abcdef0000")
    two = event_body(**{"eventTime": at(1), **other})
    record_from(server, tenant, "gateway", one)
    record(server, tenant, [two])

    assert call(server, tenant, "GET", "/api/v1/duplicates") == {"duplicates": []}
    pair = {"kept": one["eventId"], "dropped": two["eventId"]}
    refusal = call(server, tenant, "POST", "/api/v1/duplicates/merge", {"pairs": [pair]}, 400)
    assert refusal["code"] == "not-alike"
    assert summary(server, tenant)["requestCount"] == 2


def test_requests_of_a_pair_are_never_both_voided(server: Server, tenant: Tenant) -> None:
    one, two = event_body(eventTime=at(0)), event_body(eventTime=at(1))
    record_from(server, tenant, "gateway", one)
    record(server, tenant, [two])
    forth = {"kept": one["eventId"], "dropped": two["eventId"]}
    back = {"kept": two["eventId"], "dropped": one["eventId"]}

    call(server, tenant, "POST", "/api/v1/duplicates/merge", {"pairs": [forth, back]}, 400)

    assert summary(server, tenant)["requestCount"] == 2


def test_requests_are_paired_one_to_one() -> None:
    def candidate(seq: int, seconds: int, source: str) -> Candidate:
        at_us = to_us(NOW) + seconds * 1_000_000
        return Candidate("m", 100, 10, at_us, seq, EventId(f"e{seq}"), source, "openai", "", 7)

    found = [
        candidate(1, 0, "otel"),
        candidate(2, 1, "gateway"),
        candidate(3, 2, "gateway"),
        candidate(4, 3, "otel"),
        candidate(5, 4, "otel"),
        candidate(6, 200, "gateway"),
    ]

    pairs = [(double.kept.seq, double.dropped.seq) for double in find_duplicates(found)]

    assert pairs == [(2, 1), (3, 4)]
