"""Who may call, where requests go, and to whom they are attributed."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from outlay.domain.actor import Role, Scope
from outlay.domain.api_key_format import parse_key
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.event import Status
from outlay.domain.ids import GroupId, MemberId, OrganizationId
from outlay.domain.organization import GroupMembership, Member, UserGroup
from outlay.kit.clock import SystemClock
from outlay.kit.ids import new_id
from outlay.kit.secrets import checksum_of
from outlay.services.access import api_key_authentication
from outlay.services.directory.upstreams import check_base_url
from outlay.storage.directory.groups import create_group, create_membership
from outlay.storage.directory.members import create_member
from tests.gateway.conftest import Gate, chat_body, open_gate
from tests.upstream import Upstream


def call(gate: Gate, key: str) -> int:
    """The status of a call with a key."""
    headers = {"authorization": f"Bearer {key}"}
    answer = gate.http.post(f"{gate.url}/v1/chat/completions", json=chat_body(), headers=headers)
    return answer.status_code


def test_revoked_key_is_refused_within_a_second(gate: Gate) -> None:
    api_key, key = gate.create_key()
    assert call(gate, key) == 200
    gate.event()
    gate.administration.keys.revoke(gate.operator, api_key.api_key_id)
    revoked = time.monotonic()
    while call(gate, key) == 200:
        gate.event()
        assert time.monotonic() - revoked < 1
    gate.seen = gate.services.ledger.last_seq
    assert call(gate, key) == 401


def test_expired_key_is_refused(gate: Gate) -> None:
    soon = SystemClock().now() + timedelta(seconds=0.5)
    _, key = gate.create_key(expires_at=soon)
    assert call(gate, key) == 200
    gate.event()
    time.sleep(0.6)
    assert call(gate, key) == 401


def test_malformed_keys_are_refused_without_a_database_lookup(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(api_key_authentication, "find_credentials", fail)
    changed = gate.key[:-1] + ("a" if gate.key[-1] != "a" else "b")
    for key in (changed, "otl_", "sk-proj-123", gate.key + "x", gate.key.upper(), "otl__" * 20):
        assert parse_key(key) is None
        assert call(gate, key) == 401


def test_keys_with_a_valid_checksum_and_wrong_secret_are_refused(gate: Gate) -> None:
    start = gate.key[:21] + "x" * 43
    forged = start + checksum_of(start)
    assert parse_key(forged) is not None
    assert call(gate, forged) == 401


def test_access_tokens_cannot_call_models_and_keys_cannot_read_usage(gate: Gate) -> None:
    token = gate.access_token(list(Scope))
    assert call(gate, token) == 401
    answer = gate.http.get(f"{gate.url}/api/v1/analytics/summary", headers=gate.headers)
    assert answer.status_code == 401


def test_upstream_secrets_are_in_no_file(gate: Gate) -> None:
    gate.post()
    gate.event()
    folder = gate.services.settings.data
    for path in folder.iterdir():
        content = path.read_bytes()
        assert b"secret-0123456789" not in content, path
        assert gate.key.encode() not in content, path


@pytest.mark.parametrize(
    ("model", "sent", "mapping"),
    [
        ("gpt-5.5", "gpt-5.5", "openai/gpt-5.5"),
        ("openai/gpt-5.5", "gpt-5.5", "openai/gpt-5.5"),
        ("claude-sonnet-5", "claude-sonnet-5", "anthropic/claude-sonnet-5"),
        ("anthropic/claude-sonnet-5", "claude-sonnet-5", "anthropic/claude-sonnet-5"),
        ("openai/not-listed-anywhere", "not-listed-anywhere", "openai/not-listed-anywhere"),
        ("fast", "gpt-5.5-mini", "openai/gpt-5.5-mini"),
    ],
)
def test_model_names_are_routed(gate: Gate, model: str, sent: str, mapping: str) -> None:
    upstreams = gate.administration.upstreams
    openai = next(u for u in upstreams.list_for(gate.operator) if u.name == "openai")
    upstreams.put_mapping(
        gate.operator, name="fast", upstream_id=openai.upstream_id, model="gpt-5.5-mini"
    )
    gate.services.watch.check()

    assert gate.post(body=chat_body(model=model)).status_code == 200
    assert gate.upstream.last.json["model"] == sent
    assert gate.event().mapping == mapping


def test_unknown_model(gate: Gate) -> None:
    answer = gate.post(body=chat_body(model="no-such-model"))
    assert answer.status_code == 404
    assert "openai/no-such-model" in answer.json()["error"]["message"]
    event = gate.event()
    assert (event.status, event.mapping) == (Status.CLIENT_ERROR, "no-such-model")


def test_upstream_secrets_are_write_only_and_bound_to_the_base_url(
    gate: Gate,
) -> None:
    upstreams, operator = gate.administration.upstreams, gate.operator
    created = upstreams.create(
        operator, provider="groq", secret="gsk-0123456789abcdef", name="groq-eu"
    )
    assert created.base_url == "https://api.groq.com/openai/v1"
    assert (created.hint, "0123" in repr(created)) == ("cdef", False)
    with pytest.raises(Conflict):
        upstreams.create(operator, provider="groq", name="groq-eu")
    with pytest.raises(Invalid) as caught:
        upstreams.update(operator, created.upstream_id, base_url="https://evil.example/v1")
    assert (caught.value.code, caught.value.field) == ("secret-required", "secret")
    renamed = upstreams.update(operator, created.upstream_id, name="groq-2")
    assert (renamed.name, renamed.hint) == ("groq-2", "cdef")
    moved = upstreams.update(
        operator,
        created.upstream_id,
        base_url="https://eu.example/v1/",
        secret="gsk-another-secret",
    )
    assert moved.base_url == "https://eu.example/v1"
    with pytest.raises(NotFound):
        upstreams.delete(
            replace(operator, organization_id=OrganizationId("org_other")), created.upstream_id
        )
    upstreams.delete(operator, created.upstream_id)
    with pytest.raises(NotFound):
        upstreams.delete(operator, created.upstream_id)


REFUSED_URLS = [
    "ftp://x/v1",
    "file:///etc/passwd",
    "https://user:pass@api.example/v1",
    "https://api.example@evil.example/v1",
    "https://api.example/v1?x=1",
    "https://api.example/v1#x",
    "https:///v1",
    "https://",
    "http://169.254.169.254/latest",
    "http://169.254.169.254",
    "http://[fe80::1]/v1",
    "http://[::ffff:169.254.169.254]/v1",
    "http://[::ffff:a9fe:a9fe]/v1",
    "http://[fd00:ec2::254]/v1",
    "http://0.0.0.0/v1",
    "http://[::]/v1",
    "http://224.0.0.1/v1",
    "http://100.100.100.200/v1",
    "http://2852039166/v1",
    "http://0xa9fea9fe/v1",
    "http://0xa9.0xfe.0xa9.0xfe/v1",
    "http://0251.0376.0251.0376/v1",
    "http://169.254.43518/v1",
    "http://127.1/v1",
    "http://1/v1",
    "https://api.example/v1/../../x",
    "https://api.example/%2e%2e/x",
    "https://api.example\\@evil.example/v1",
    "https://api example/v1",
    "https://api.example:0/v1",
    "https://api.example:99999/v1",
    "https://api.exämple/v1",
    "https://-api.example/v1",
    "javascript:alert(1)",
    "",
    "api.openai.com/v1",
    "https://api.example/v1\r\nhost: evil",
    "https://[::1/v1",
]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_forbidden_base_urls_are_refused(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_base_url(url)
    assert caught.value.field == "baseUrl"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "http://127.0.0.1:11434/v1",
        "http://localhost:8000/v1",
        "http://10.0.0.5:8000/v1",
        "http://[::1]:8000/v1",
        "https://generativelanguage.googleapis.com/v1beta/openai/",
        "http://vllm_1.internal/v1",
    ],
)
def test_valid_base_urls_are_accepted(url: str) -> None:
    assert check_base_url(url) == url.rstrip("/")


def test_name_resolving_to_a_metadata_service_is_refused(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    import aiohttp.resolver

    async def resolve(*_: object, **__: object) -> list[dict[str, Any]]:
        return [
            {"hostname": "x", "host": "169.254.169.254", "port": 80, "family": 2},
            {"hostname": "x", "host": "fd20:ce::254", "port": 80, "family": 10},
        ]

    monkeypatch.setattr(aiohttp.resolver.ThreadedResolver, "resolve", resolve)
    upstream = gate.administration.upstreams.create(
        gate.operator, provider="meta", base_url="http://rebound.test/v1"
    )
    gate.services.watch.check()
    answer = gate.post(body=chat_body(model="meta/x"))
    gate.administration.upstreams.delete(gate.operator, upstream.upstream_id)
    assert answer.status_code == 502
    assert gate.event().error_code == "upstream-forbidden-address"


def test_attribution(gate: Gate) -> None:
    gate.post(**{"x-outlay-user": "cust-7", "x-title": "Helpdesk", "user-agent": "curl/8"})
    event = gate.event()
    assert (event.user_id, event.member_id) == (gate.member_id, gate.member_id)
    assert (event.end_user, event.app) == ("cust-7", "Helpdesk")
    assert (event.project_id, event.api_key_id) == (
        gate.project.project_id,
        gate.api_key.api_key_id,
    )


CLAIMS: list[tuple[dict[str, str], dict[str, Any], str]] = [
    ({"x-litellm-customer-id": "a"}, {}, "a"),
    ({"helicone-user-id": "b"}, {}, "b"),
    ({}, {"user": "c"}, "c"),
    ({}, {"safety_identifier": "d"}, "d"),
    ({}, {"metadata": {"user_id": "e"}}, "e"),
    ({"x-outlay-user": "f"}, {"user": "g"}, "f"),
    ({}, {"user": 7}, ""),
    ({}, {"user": "x" * 1000}, "x" * 256),
]


@pytest.mark.parametrize(("headers", "body", "end_user"), CLAIMS)
def test_user_claims(
    gate: Gate, headers: dict[str, str], body: dict[str, Any], end_user: str
) -> None:
    gate.post(body=chat_body(**body), **headers)
    assert gate.event().end_user == end_user


@pytest.mark.parametrize(
    ("headers", "app"),
    [
        ({"user-agent": "claude-cli/2.1 (external, cli)"}, "Claude Code"),
        ({"user-agent": "OpenAI/Python 1.99"}, "OpenAI Python"),
        ({"user-agent": "my-service/1.2 (linux)"}, "my-service"),
        ({"user-agent": "x", "http-referer": "https://www.shop.example/cart?x=1"}, "shop.example"),
        ({"user-agent": "x", "x-outlay-app": "Checkout", "x-title": "no"}, "Checkout"),
    ],
)
def test_apps(gate: Gate, headers: dict[str, str], app: str) -> None:
    gate.post(**headers)
    assert gate.event().app == app


def test_only_a_key_that_may_set_attribution_can_name_users(gate: Gate) -> None:
    organization_id = gate.organization.organization_id
    other = Member(
        member_id=MemberId(new_id("mem")),
        organization_id=organization_id,
        name="Other",
        email="Other@Example.test",
        role=Role.DEVELOPER,
    )
    groups = [
        UserGroup(group_id=GroupId(new_id("grp")), organization_id=organization_id, name=name)
        for name in ("Search", "Ads")
    ]
    with gate.services.directory.change() as session:
        create_member(session, other, 0)
        for group in groups:
            create_group(session, group, 0)
        create_membership(
            session,
            GroupMembership(
                group_id=groups[0].group_id, member_id=other.member_id, valid_from_us=0
            ),
        )
    _, trusted = gate.create_key(trusts_caller=True)

    claims = {"x-outlay-user": "other@example.test"}
    gate.post(**claims)
    assert gate.event().user_id == gate.member_id
    gate.post(**claims, authorization=f"Bearer {trusted}")
    event = gate.event()
    assert (event.user_id, event.member_id) == (other.member_id, gate.member_id)
    assert event.groups == groups[0].group_id
    gate.post(**{"x-openwebui-user-email": "OTHER@example.test"}, authorization=f"Bearer {trusted}")
    assert gate.event().user_id == other.member_id
    assert not [name for name in gate.upstream.last.headers if "openwebui" in name]
    gate.post(**claims, **{"x-outlay-groups": "ads, nonsense"}, authorization=f"Bearer {trusted}")
    assert gate.event().groups == groups[1].group_id
    gate.post(**{"x-outlay-user": "nobody@example.test"}, authorization=f"Bearer {trusted}")
    assert gate.event().user_id == gate.member_id


def test_reported_cost_and_service_tier_are_recorded(gate: Gate) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "cost": 0.0123}
    gate.post(script={"usage": usage, "replace": [['"id"', '"service_tier": "flex", "id"']]})
    event = gate.event()
    assert event.reported_cost_pusd == 12_300_000_000
    assert event.price_context == "service_tier=flex"
    gate.post(script={"usage": usage})
    assert gate.event().cost_pusd != event.cost_pusd


def test_models_for_anthropic_clients(gate: Gate) -> None:
    headers = {"x-api-key": gate.key, "anthropic-version": "2023-06-01"}
    listed = gate.http.get(f"{gate.url}/v1/models", headers=headers).json()
    assert listed["has_more"] is False
    assert {"type": "model", "id": "openai/gpt-5.5"}.items() <= next(
        model for model in listed["data"] if model["id"] == "openai/gpt-5.5"
    ).items()
    assert httpx.get(f"{gate.url}/v1/models").status_code == 401


def test_model_list_can_be_the_first_request(tmp_path: Path, upstream: Upstream) -> None:
    with open_gate(tmp_path / "data", upstream) as gate:
        answer = gate.http.get(f"{gate.url}/v1/models", headers=gate.headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions", "/v1/messages"])
def test_websocket_handshake_is_answered_with_upgrade_required(gate: Gate, path: str) -> None:
    headers = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
    }
    answer = gate.http.get(gate.url + path, headers={**gate.headers, **headers})
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "HTTP/1.1")
    assert "POST" in answer.json()["error"]["message"]


def test_wrong_method_error_names_the_right_one(gate: Gate) -> None:
    answer = gate.http.put(f"{gate.url}/v1/responses", headers=gate.headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
