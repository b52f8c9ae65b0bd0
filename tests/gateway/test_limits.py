"""Spend limits: what is reserved, what is spent, and what clients are told."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import httpx
import openai
import pytest

from outlay.domain.event import Status
from outlay.domain.money import PUSD_PER_USD, Pusd
from outlay.domain.organization import ApiKey
from outlay.domain.spend_limit import LimitInterval, LimitScope, SpendLimit
from outlay.storage.directory.spend_limits import (
    delete_spend_limit,
    list_spend_limits,
    put_spend_limit,
)
from outlay.storage.ledger.postgres.store import PostgresLedger
from tests.backdoor import local_counters_of, reading_of
from tests.gateway.conftest import Gate, chat_body

# gpt-5.5 at 5 and 30 USD per million: the upstream's count for n words is exact.
OUTPUT_PUSD = 30_000_000


MESSAGES = [{"role": "user", "content": "Hello there"}]


def connected(library: Any, url: str, key: str) -> Any:
    """A client of one of the libraries."""
    return library(base_url=url, api_key=key, max_retries=0)


@pytest.fixture
def key(gate: Gate) -> tuple[ApiKey, str]:
    """A new key without spend."""
    return gate.create_key()


def limit_of(gate: Gate, api_key: ApiKey, pusd: int) -> SpendLimit:
    """A daily limit of a key."""
    return SpendLimit(
        organization_id=gate.organization.organization_id,
        scope=LimitScope.API_KEY,
        scope_id=api_key.api_key_id,
        interval=LimitInterval.DAY,
        amount_pusd=Pusd(pusd),
    )


def put(gate: Gate, limit: SpendLimit) -> None:
    """Set a limit."""
    with gate.services.directory.change() as session:
        put_spend_limit(session, limit, 0)
    gate.services.watch.check()


def standing(gate: Gate, api_key: ApiKey) -> list[tuple[int, int]]:
    """The amounts spent and held against each limit of a key, wherever they are counted."""
    ledger = gate.services.ledger
    if not isinstance(ledger, PostgresLedger):
        return local_counters_of(gate.services.limits, api_key.api_key_id)
    with reading_of(ledger) as reader:
        rows = reader.execute(
            "SELECT spent_pusd, (SELECT coalesce(sum(amount_pusd), 0) FROM spend_hold "
            "WHERE spend_hold.counter_id = spend_counter.counter_id) "
            "FROM spend_counter WHERE scope_id = ?",
            (api_key.api_key_id,),
        )
        return [(int(spent), int(held)) for spent, held in rows]


@pytest.fixture(autouse=True)
def no_limits_afterwards(gate: Gate) -> Iterator[None]:
    """Remove all limits afterwards."""
    yield
    organization_id = gate.organization.organization_id
    with gate.services.directory.change() as session:
        for limit in list_spend_limits(session, organization_id):
            delete_spend_limit(session, limit)
    gate.services.watch.check()


def test_limit_refuses_before_the_provider_is_called_with_a_reason(
    gate: Gate, key: tuple[ApiKey, str]
) -> None:
    api_key, text = key
    put(gate, limit_of(gate, api_key, PUSD_PER_USD // 1_000_000))
    with (
        connected(openai.OpenAI, f"{gate.url}/v1", text) as client,
        pytest.raises(openai.RateLimitError) as refused,
    ):
        client.chat.completions.create(model="gpt-5.5", messages=MESSAGES)

    assert gate.upstream.served == []
    assert refused.value.code == "spend_limit_reached"
    text = str(refused.value)
    assert (
        "could cost up to $3.84" in text
    )  # 128,000 tokens of output, because it states no maximum
    limit = "$0.000001 of the API key's $0.000001 per day"
    assert f"{limit} is left ({api_key.api_key_id}): $0 is spent" in text
    assert "That exceeds the whole limit" in text
    headers = refused.value.response.headers
    assert headers["x-should-retry"] == "false"
    assert "retry-after" not in headers
    assert headers["x-outlay-limit-resets-at"] in text
    event = gate.event()
    assert (event.status, event.http_status) == (Status.CLIENT_ERROR, 429)
    assert (event.error_code, event.cost_pusd) == ("spend-limit-reached", 0)


def test_limit_error_is_in_the_anthropic_format(gate: Gate, key: tuple[ApiKey, str]) -> None:
    api_key, text = key
    put(gate, limit_of(gate, api_key, 1))
    with (
        connected(anthropic.Anthropic, gate.url, text) as client,
        pytest.raises(anthropic.RateLimitError) as refused,
    ):
        client.messages.create(model="claude-sonnet-5", max_tokens=9, messages=MESSAGES)
    assert "rate_limit_error" in str(refused.value.body)
    gate.event()


def test_spend_before_the_limit_was_set_counts(gate: Gate, key: tuple[ApiKey, str]) -> None:
    api_key, text = key
    headers = {"authorization": f"Bearer {text}"}
    for _ in range(3):
        gate.post(**headers)
    spent = sum(event.cost_pusd for event in gate.events(3))
    limit = limit_of(gate, api_key, spent)
    put(gate, limit)
    assert gate.post(body=chat_body(max_tokens=1), **headers).status_code == 429
    gate.event()
    assert gate.services.limits.spent_pusd(limit) == spent


@pytest.mark.parametrize("scope", list(LimitScope))
def test_every_scope_is_enforced(gate: Gate, key: tuple[ApiKey, str], scope: LimitScope) -> None:
    api_key, text = key
    ids = {
        LimitScope.API_KEY: api_key.api_key_id,
        LimitScope.PROJECT: api_key.project_id,
        LimitScope.MEMBER: api_key.member_id,
    }
    put(
        gate,
        SpendLimit(
            organization_id=gate.organization.organization_id,
            scope=scope,
            scope_id=ids[scope],
            interval=LimitInterval.MONTH,
            amount_pusd=Pusd(1),
        ),
    )
    answer = gate.post(authorization=f"Bearer {text}")
    assert answer.status_code == 429
    assert "per month" in answer.json()["error"]["message"]
    gate.event()


def test_model_without_price_is_refused_under_a_limit(gate: Gate, key: tuple[ApiKey, str]) -> None:
    api_key, text = key
    put(gate, limit_of(gate, api_key, PUSD_PER_USD))
    answer = gate.post(body=chat_body(model="openai/unheard-of"), authorization=f"Bearer {text}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_unpriced")
    assert gate.upstream.served == []
    gate.event()


def test_two_hundred_concurrent_requests_do_not_exceed_the_limit(
    gate: Gate, key: tuple[ApiKey, str]
) -> None:
    api_key, text = key
    words = 20
    # Room for about ten of them.
    limit = limit_of(gate, api_key, 10 * words * OUTPUT_PUSD + PUSD_PER_USD // 1000)
    put(gate, limit)
    body = chat_body(max_completion_tokens=words, stream=True)
    headers = {
        "authorization": f"Bearer {text}",
        "x-script": f'{{"words": {words}, "pause": 0.005}}',
    }

    def one(_: int) -> int:
        with httpx.Client(timeout=30) as client:
            url = f"{gate.url}/v1/chat/completions"
            return client.post(url, json=body, headers=headers).status_code

    with ThreadPoolExecutor(50) as threads:
        statuses = list(threads.map(one, range(200)))

    events = gate.events(200)
    spent = sum(event.cost_pusd for event in events)
    passed = statuses.count(200)
    assert passed + statuses.count(429) == 200
    assert 2 <= passed < 200
    # The bound: at most the cost of the inputs above their estimates (5 USD per million tokens).
    excess = sum(max(0, event.input_tokens - 4) * 5_000_000 for event in events)
    assert spent <= limit.amount_pusd + excess
    assert gate.services.limits.spent_pusd(limit) == spent
    # Nothing is held once all requests have ended.
    assert standing(gate, api_key) == [(spent, 0)]


TRICKS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"max_tokens": 1, "max_completion_tokens": 400}),
    ("/v1/chat/completions", {"max_tokens": 400, "max_output_tokens": 0}),
    ("/v1/chat/completions", {"max_tokens": 20, "n": "20"}),
    ("/v1/completions", {"max_tokens": 20, "best_of": 20, "prompt": "hi"}),
    ("/v1/responses", {"max_tokens": 1, "input": "hi"}),
    ("/v1/messages", {"max_tokens": 1, "thinking": {"budget_tokens": 400}}),
]
"""The unit tests of reservations have the others."""


@pytest.mark.parametrize(("path", "members"), TRICKS, ids=str)
def test_no_extra_member_lets_concurrent_requests_exceed_a_limit(
    gate: Gate, key: tuple[ApiKey, str], path: str, members: dict[str, Any]
) -> None:
    """Each costs as much as 400 tokens of output, and the limit has room for two and a half."""
    api_key, text = key
    limit = limit_of(gate, api_key, 1_000 * OUTPUT_PUSD)
    put(gate, limit)
    script = {"words": 400, "stall": "after", "seconds": 0.2}
    body = {**chat_body(), **members, "script": script}
    headers = {"authorization": f"Bearer {text}"}

    def one(_: int) -> int:
        return client.post(f"{gate.url}{path}", json=body, headers=headers).status_code

    with httpx.Client(timeout=30) as client, ThreadPoolExecutor(30) as threads:
        statuses = list(threads.map(one, range(30)))

    assert set(statuses) <= {200, 429}
    assert statuses.count(200) <= 2
    spent = sum(event.cost_pusd for event in gate.events(30))
    assert spent <= limit.amount_pusd
    assert standing(gate, api_key) == [(spent, 0)]


def test_counting_tokens_is_free_and_never_refused(gate: Gate, key: tuple[ApiKey, str]) -> None:
    api_key, text = key
    limit = limit_of(gate, api_key, 0)
    put(gate, limit)
    body = {"model": "claude-sonnet-5", "messages": MESSAGES}
    headers = {"authorization": f"Bearer {text}"}
    assert gate.post("/v1/messages/count_tokens", body, **headers).status_code == 200
    assert gate.post("/v1/messages", {**body, "max_tokens": 1}, **headers).status_code == 429
    unpriced = {**body, "model": "anthropic/unheard-of"}
    assert gate.post("/v1/messages/count_tokens", unpriced, **headers).status_code == 200
    gate.events(3)


def test_request_without_maximum_reserves_the_model_maximum(
    gate: Gate, key: tuple[ApiKey, str]
) -> None:
    """128,000 tokens of gpt-5.5: 3.84 USD."""
    api_key, text = key
    put(gate, limit_of(gate, api_key, 3 * PUSD_PER_USD))
    headers = {"authorization": f"Bearer {text}"}
    answer = gate.post(**headers)
    assert answer.status_code == 429
    assert "could cost up to $3.84" in answer.json()["error"]["message"]
    assert "or ask for a higher limit" in answer.json()["error"]["message"]
    assert gate.post(body=chat_body(max_tokens=1_000), **headers).status_code == 200
    gate.events(2)


def test_canceled_or_failed_request_releases_its_reservation(
    gate: Gate, key: tuple[ApiKey, str]
) -> None:
    api_key, text = key
    limit = limit_of(gate, api_key, PUSD_PER_USD)
    put(gate, limit)
    headers = {"authorization": f"Bearer {text}"}
    bounded = chat_body(max_tokens=9)
    gate.post(body=bounded, script={"reset": "before"}, **headers)
    gate.post(body=bounded, script={"status": 500}, **headers)
    gate.post(body={**bounded, "stream": True}, script={"words": 2, "usage": "missing"}, **headers)
    spent = sum(event.cost_pusd for event in gate.events(3))
    assert spent > 0
    assert standing(gate, api_key) == [(spent, 0)]


def test_counter_includes_commits_during_its_first_read(
    gate: Gate, key: tuple[ApiKey, str]
) -> None:
    """Requests that end during the first sum are counted once."""
    api_key, text = key
    headers = {"authorization": f"Bearer {text}"}
    limit = limit_of(gate, api_key, 1000 * PUSD_PER_USD)
    barrier = threading.Barrier(9)

    def work() -> None:
        barrier.wait()
        for _ in range(10):
            with httpx.Client(timeout=30) as client:
                client.post(f"{gate.url}/v1/chat/completions", json=chat_body(), headers=headers)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    barrier.wait()
    put(gate, limit)
    for thread in threads:
        thread.join()
    spent = sum(event.cost_pusd for event in gate.events(80))
    gate.post(**headers)
    spent += gate.event().cost_pusd
    assert standing(gate, api_key) == [(spent, 0)]
