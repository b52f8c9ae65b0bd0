"""Cases from the field: each is counted and priced correctly, or marked as uncertain.

`tests/data/cases` has a folder per case: a provider's answer or a sender's payload, and the
expected result.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Scope
from outlay.domain.event import SIGN, CostSource, UsageEvent
from outlay.domain.money import PUSD_PER_USD
from outlay.settings import Settings
from tests.gateway.case_upstream import CaseUpstream, running_case_upstream
from tests.gateway.conftest import Gate, serve, set_up

CASES = Path(__file__).parent.parent / "data" / "cases"
PROVIDERS = (
    "openrouter",
    "azure",
    "google",
    "zai",
    "together",
    "mistral",
    "groq",
    "moonshotai",
    "deepseek",
    "vllm",
    "perplexity",
    "voyageai",
    "x-ai",
    "fireworks",
    "aws",
    "cohere",
)
COUNTS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cacheRead": "cache_read_input_tokens",
    "cacheWrite": "cache_write_input_tokens",
    "cacheWrite1h": "cache_write_1h_input_tokens",
    "reasoning": "reasoning_output_tokens",
    "usageSource": "usage_source",
    "status": "status",
    "provider": "provider",
    "mapping": "mapping",
    "operation": "operation",
    "costSource": "cost_source",
}
MARKED = {CostSource.PARTIAL, CostSource.UNPRICED}


class Case(NamedTuple):
    """A folder."""

    name: str
    folder: Path
    content: dict[str, Any]


def cases(field: str) -> list[Any]:
    """The cases that have a field."""
    found = [
        Case(path.name, path, json.loads((path / "case.json").read_text()))
        for path in sorted(CASES.iterdir())
    ]
    return [pytest.param(case, id=case.name) for case in found if field in case.content]


@pytest.fixture(scope="module")
def case_upstream() -> Iterator[CaseUpstream]:
    with running_case_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def field_gate(
    tmp_path_factory: pytest.TempPathFactory, case_upstream: CaseUpstream
) -> Iterator[Gate]:
    """A gateway with an upstream for every provider."""
    data = tmp_path_factory.mktemp("cases") / "data"
    with open_installation(Settings(data=data)) as services, serve(services) as url:
        gate = set_up(services, url, case_upstream)  # type: ignore[arg-type]  # it asks for a URL
        for provider in PROVIDERS:
            gate.administration.upstreams.create(
                gate.operator, provider=provider, base_url=case_upstream.url, secret="sk-x-012345"
            )
        services.watch.check()
        yield gate
        gate.http.close()


def send(gate: Gate, case: Case) -> httpx.Response | None:
    """Send a case's request; None if its client disconnects before the end."""
    content = case.content
    headers = {**gate.headers, **content.get("headers", {})}
    url = gate.url + content["path"]
    if content["request"] == "request.bin":
        body = (case.folder / "request.bin").read_bytes()
        headers["content-type"] = content["contentType"]
        return gate.http.post(url, content=body, headers=headers)
    if "leave" not in case.name:
        return gate.http.post(url, json=content["request"], headers=headers)
    try:
        with gate.http.stream("POST", url, json=content["request"], headers=headers, timeout=0.4):
            pass
    except httpx.TimeoutException:
        pass
    return None


@pytest.mark.parametrize("case", cases("path"))
def test_answer_is_counted_and_priced(
    field_gate: Gate, case_upstream: CaseUpstream, case: Case
) -> None:
    gate, expected = field_gate, case.content.get("expect", {})
    case_upstream.show(case.folder)
    gate.seen = gate.services.ledger.last_seq
    answer = send(gate, case)
    if "http" in expected:
        assert answer is not None
        assert answer.status_code == expected["http"]
    check_event(gate.event(), expected)


@pytest.mark.parametrize("case", cases("post"))
def test_reported_usage_is_counted_and_priced(
    field_gate: Gate, case_upstream: CaseUpstream, case: Case
) -> None:
    gate, expected = field_gate, case.content["expect"]
    relayed = case.content.get("relayed")
    if relayed:
        case_upstream.show(case.folder)
        url = f"{gate.url}/v1/chat/completions"
        assert gate.http.post(url, json=relayed, headers=gate.headers).status_code == 200
    gate.seen = gate.services.ledger.last_seq
    token = gate.access_token([Scope.USAGE_WRITE])
    for body in sorted(case.folder.glob(case.content.get("bodies", "body*.json"))):
        answer = gate.http.post(
            gate.url + case.content["post"],
            content=body.read_bytes(),
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
        )
        assert answer.status_code < 300, answer.text
        assert expected.get("told", "") in answer.text
    rows = gate.events(gate.services.ledger.last_seq - gate.seen)
    events = [event for event in rows if SIGN[event.amendment]]
    if "count" in expected:
        assert len(events) == expected["count"]
    for name, wanted in (("totalIn", "input_tokens"), ("totalOut", "output_tokens")):
        if name in expected:
            assert sum(getattr(event, wanted) for event in events) == expected[name]
    if len(events) == 1:
        check_event(events[0], expected)
    costs = case.content.get("costs", {})
    found = {event.event_id: event.cost_pusd / PUSD_PER_USD for event in events}
    assert {event_id: found[event_id] for event_id in costs} == costs


def check_event(event: UsageEvent, expected: dict[str, Any]) -> None:
    """Check that an event has the counts of a case, and its cost or a mark."""
    found = {name: getattr(event, column) for name, column in COUNTS.items() if name in expected}
    assert found == {name: expected[name] for name in found}
    cost = Decimal(event.cost_pusd) / PUSD_PER_USD
    if "cost" in expected and event.cost_source not in MARKED:
        assert round(float(cost), 12) == round(expected["cost"], 12)
    if "costAtLeast" in expected and event.cost_source not in MARKED:
        assert float(cost) >= expected["costAtLeast"] - 1e-12
