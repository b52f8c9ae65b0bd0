"""Permanent refusals, which official clients raise at once: one request, no waiting, no retry."""

import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from outlay.domain.errors import LimitReached, Unavailable
from outlay.domain.ids import OrganizationId
from outlay.domain.money import PUSD_PER_USD, Pusd
from outlay.domain.spend_limit import (
    CounterKey,
    Hold,
    HoldRefused,
    LimitInterval,
    LimitScope,
    SpendLimit,
    limit_reached,
)
from outlay.kit.clock import to_us
from outlay.storage.health import StorageHealth
from outlay.web.proxy.headers import refusal_headers
from tests.gateway.conftest import Gate, chat_body
from tests.gateway.test_limits import limit_of, put

MESSAGES: Any = [{"role": "user", "content": "Hello there"}]
NODE = Path(__file__).parents[2] / ".venv/node"
SECONDS = 10.0
"""More than any of them takes to start; the shortest requested wait was hours."""

OPENAI_SCRIPT = """
import OpenAI from 'openai';
const [url, key, model] = process.argv.slice(1);
const client = new OpenAI({baseURL: url + '/v1', apiKey: key});
client.chat.completions.create({model, messages: [{role: 'user', content: 'hi'}]})
  .then(() => console.log('answered'), error => console.log(error.status));
"""
ANTHROPIC_SCRIPT = """
import Anthropic from '@anthropic-ai/sdk';
const [url, key, model] = process.argv.slice(1);
const client = new Anthropic({baseURL: url, apiKey: key});
client.messages.create({model, max_tokens: 9, messages: [{role: 'user', content: 'hi'}]})
  .then(() => console.log('answered'), error => console.log(error.status));
"""


def openai_for_python(url: str, key: str, model: str) -> int:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key) as client:
        try:
            client.chat.completions.create(model=model, messages=MESSAGES)
        except openai.APIStatusError as error:
            return error.status_code
    return 200


def anthropic_for_python(url: str, key: str, model: str) -> int:
    with anthropic.Anthropic(base_url=url, api_key=key) as client:
        try:
            client.messages.create(model=model, max_tokens=9, messages=MESSAGES)
        except anthropic.APIStatusError as error:
            return error.status_code
    return 200


def openai_for_javascript(url: str, key: str, model: str) -> int:
    return in_node(OPENAI_SCRIPT, url, key, model)


def anthropic_for_javascript(url: str, key: str, model: str) -> int:
    return in_node(ANTHROPIC_SCRIPT, url, key, model)


def in_node(script: str, *arguments: str) -> int:
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script, *arguments],
        cwd=NODE,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return int(done.stdout)


Call = Callable[[str, str, str], int]
CLIENTS: list[Call] = [
    openai_for_python,
    anthropic_for_python,
    openai_for_javascript,
    anthropic_for_javascript,
]


@pytest.fixture
def limited(gate: Gate) -> Iterator[str]:
    """A key whose limit has no room at all."""
    api_key, text = gate.create_key()
    limit = limit_of(gate, api_key, 1)
    put(gate, limit)
    yield text
    gate.administration.limits.delete(gate.operator, limit.scope, limit.scope_id, limit.interval)
    gate.services.watch.check()


@pytest.mark.parametrize("call", CLIENTS, ids=lambda call: call.__name__)
def test_exhausted_limit_does_not_make_clients_wait(gate: Gate, limited: str, call: Call) -> None:
    model = "claude-sonnet-5" if "anthropic" in call.__name__ else "gpt-5.5"
    begun = time.monotonic()
    assert call(gate.url, limited, model) == 429
    assert time.monotonic() - begun < SECONDS
    assert gate.event().error_code == "spend-limit-reached"


@pytest.mark.parametrize("call", CLIENTS, ids=lambda call: call.__name__)
def test_final_errors_are_not_retried(gate: Gate, limited: str, call: Call) -> None:
    begun = time.monotonic()
    assert call(gate.url, gate.key, "nobody/has-this") == 404
    assert call(gate.url, limited, "openai/unheard-of") == 403
    assert call(gate.url, "otl_wrong", "gpt-5.5") == 401
    assert time.monotonic() - begun < 3 * SECONDS
    codes = {event.error_code for event in gate.events(2)}
    assert codes == {"model-not-found", "model-unpriced"}


def final(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    """Status, and the headers that tell a library whether to retry."""
    headers = answer.headers
    return answer.status_code, headers.get("x-should-retry"), headers.get("retry-after")


def test_every_refusal_is_marked_final(gate: Gate) -> None:
    url = f"{gate.url}/v1/chat/completions"
    refused = [
        gate.http.post(url, json=chat_body(), headers={"authorization": "Bearer nobody"}),
        gate.http.post(url, content=b"{", headers=gate.headers),
        gate.http.post(url, content=b"[]", headers=gate.headers),
        gate.http.post(url, json={"messages": []}, headers=gate.headers),
        gate.post(body=chat_body(model="nobody/has-this")),
        gate.post(**{"content-encoding": "gzip"}),
        gate.http.get(url, headers=gate.headers),
        gate.http.get(f"{gate.url}/v1/models"),
    ]
    assert [final(answer) for answer in refused] == [
        (status, "false", None) for status in (401, 400, 400, 400, 404, 415, 405, 401)
    ]
    gate.events(5)


def test_temporary_refusals_are_not_final(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise Unavailable("the disk is full, they say")

    monkeypatch.setattr(StorageHealth, "check", refuse)
    answer = gate.post()
    monkeypatch.undo()
    assert final(answer) == (503, None, "2")


NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def refused(*, cost: int, spent: int, held: int, seconds: int) -> LimitReached:
    """The refusal of a request under a limit of 10 USD that resets after some seconds."""
    end_us = to_us(NOON + timedelta(seconds=seconds))
    key = CounterKey(OrganizationId("org"), LimitScope.PROJECT, "prj_1", end_us - 1, end_us)
    limit = SpendLimit(
        organization_id=OrganizationId("org"),
        scope=key.scope,
        scope_id=key.scope_id,
        interval=LimitInterval.DAY,
        amount_pusd=Pusd(10 * PUSD_PER_USD),
    )
    amounts = [usd * PUSD_PER_USD for usd in (cost, spent, held)]
    hold = Hold(key, limit, amounts[0])
    return limit_reached(HoldRefused(hold, amounts[1], amounts[2], to_us(NOON)))


@pytest.mark.parametrize(
    ("amounts", "seconds", "retry_headers"),
    [
        # Spent permanently: a wait of hours, for which no library should wait.
        ((3, 8, 0), 7_200, {b"x-should-retry": b"false"}),
        ((3, 8, 1), 60, {b"x-should-retry": b"false"}),
        # A short wait helps.
        ((3, 8, 1), 59, {b"retry-after": b"59"}),
        # Only running requests are in the way, and they cost less than is held for them.
        ((3, 6, 4), 7_200, {b"retry-after": b"2"}),
    ],
)
def test_only_short_waits_are_in_retry_after(
    amounts: tuple[int, int, int], seconds: int, retry_headers: dict[bytes, bytes]
) -> None:
    cost, spent, held = amounts
    error = refused(cost=cost, spent=spent, held=held, seconds=seconds)
    headers = dict(refusal_headers(error, "id", 7))
    ours = {name: headers[name] for name in (b"x-should-retry", b"retry-after") if name in headers}
    assert ours == retry_headers
    resets_at = (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert headers[b"x-outlay-limit-resets-at"].decode() == resets_at
    assert error.message.endswith(f"at {resets_at}.")


def test_limit_message_states_cost_and_remaining_amount() -> None:
    assert refused(cost=3, spent=7, held=1, seconds=7_300).message == (
        "This request could cost up to $3, but only $2 of the project's $10 per day is left "
        "(prj_1): $7 is spent and $1 is reserved. Try again when running requests have finished. "
        "The limit resets in 2 hours, at 2026-11-28T14:01:40Z."
    )
    assert "A request with a lower maximum of output tokens may fit." in (
        refused(cost=3, spent=8, held=1, seconds=90).message
    )


def test_limit_below_one_reservation_is_explained() -> None:
    error = refused(cost=11, spent=0, held=0, seconds=30)

    assert error.message.startswith(
        "This request could cost up to $11, but only $10 of the project's $10 per day is left "
        "(prj_1): $0 is spent and $0 is reserved. That exceeds the whole limit: "
        "request fewer output tokens (e.g. with max_tokens) or ask for a higher limit."
    )
    assert error.retry_after is None
