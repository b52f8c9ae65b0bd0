"""`money=text`: every amount of an answer as text, digit for digit the same as the number."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import store
from tests.factories import NOW, make_event

from outlay.kit.clock import to_us

AMOUNT = 22_595_894_986_840_895_863
"""22595894.986840895863 USD: as a number in JavaScript it ends in 896."""


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    """An organization with one very expensive request."""
    opened = server.tenant()
    event = make_event(
        event_id="costly",
        session_id="a run",
        reported_cost_pusd=AMOUNT // 3,
        computed_cost_pusd=AMOUNT // 3,
        event_time_us=to_us(NOW) - 7_200_000_000,
        user_id=opened.member.member_id,
        member_id=opened.member.member_id,
        cost_pusd=AMOUNT // 3,
        output_cost_pusd=AMOUNT // 3,
    )
    store(server, opened, [event])
    return opened


def questions(server: Server, tenant: Tenant) -> Iterator[tuple[str, dict[str, str]]]:
    """Every path with a `money` parameter, and the query that makes it answer JSON."""
    yield "/api/v1/requests/costly", {}
    for path, operations in server.http.get("/openapi.json").json()["paths"].items():
        filled = path.replace("{user_id}", tenant.member.member_id)
        names = {one["name"] for one in operations.get("get", {}).get("parameters", ())}
        if "money" in names and "{" not in filled:
            yield filled, {"format": "json"} if "format" in names else {}


def test_numbers_and_text_have_the_same_amounts(server: Server, tenant: Tenant) -> None:
    asked = list(questions(server, tenant))
    assert len(asked) > 10
    for path, given in asked:
        answers = [
            server.http.get(path, params={**given, **style}, headers=tenant.headers)
            for style in ({}, {"money": "text"})
        ]
        assert [answer.status_code for answer in answers] == [200, 200], path
        number, text = (json.loads(answer.text, parse_float=Decimal) for answer in answers)
        amounts = list(compared(number, text, path))
        assert any(amount.as_tuple().exponent == -12 for amount in amounts), path


def compared(number: Any, text: Any, where: str) -> Iterator[Decimal]:
    """The amounts of an answer; compares every value of both answers."""
    if isinstance(number, dict):
        assert number.keys() == text.keys(), where
        for key, value in number.items():
            yield from compared(value, text[key], f"{where} {key}")
    elif isinstance(number, list):
        for one, other in zip(number, text, strict=True):
            yield from compared(one, other, where)
    elif is_money(where) and number is not None:
        assert isinstance(text, str), where
        assert Decimal(text) == number, where
        yield Decimal(text)
    else:
        assert number == text, where


def is_money(where: str) -> bool:
    name = where.rpartition(" ")[2].lower()
    return name.endswith(("cost", "costperrequest", "costdrift")) or " costs " in where


def test_unknown_money_style_is_refused(server: Server, tenant: Tenant) -> None:
    answer = server.http.get(
        "/api/v1/analytics/summary", params={"money": "gold"}, headers=tenant.headers
    )

    assert (answer.status_code, answer.json()["field"]) == (400, "money")
