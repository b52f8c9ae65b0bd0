"""A real gateway on loopback in front of an upstream that keeps its own record."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from outlay.bootstrap.installation import open_installation
from outlay.cli.server import server_config
from outlay.domain.actor import Actor, Scope
from outlay.domain.event import UsageEvent
from outlay.domain.ids import MemberId
from outlay.domain.organization import ApiKey, Organization, Project, operator_of
from outlay.domain.usage import TokenUsage
from outlay.services.bundle import Administration, Services
from outlay.settings import ProxySettings, Settings
from outlay.storage.ledger.rows import from_row
from outlay.web.app import Application
from tests.upstream import Served, Upstream, running_upstream

PATIENCE = ProxySettings(
    connect_seconds=60,
    answer_seconds=60,
    idle_seconds=60,
    client_seconds=60,
    drain_seconds=60,
    grace_seconds=2,
)
"""More than a busy machine needs: tests about a timeout set it themselves."""
MESSAGES = [{"role": "user", "content": "Hello there"}]


@dataclass
class Gate:
    """A running gateway with its services and its upstream."""

    services: Services
    upstream: Upstream
    url: str
    organization: Organization
    project: Project
    member_id: str
    api_key: ApiKey
    key: str
    seen: int = 0
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    @property
    def administration(self) -> Administration:
        """The services that set it up."""
        return self.services.administration

    @property
    def operator(self) -> Actor:
        """The operator in its organization."""
        return operator_of(self.organization)

    def access_token(self, scopes: list[Scope]) -> str:
        """An access token of the owner."""
        _, token = self.administration.tokens.create(
            self.operator, description="t", scopes=scopes, member_id=MemberId(self.member_id)
        )
        return token

    @property
    def headers(self) -> dict[str, str]:
        """The headers of its requests."""
        return {"authorization": f"Bearer {self.key}"}

    @property
    def address(self) -> tuple[str, int]:
        """Its URL."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def post(
        self,
        path: Any = "/v1/chat/completions",
        body: Any = None,
        script: Any = None,
        **headers: Any,
    ) -> httpx.Response:
        """Send one request with instructions for the upstream."""
        sent = {**self.headers, "x-script": json.dumps(script or {}), **headers}
        return self.http.post(self.url + path, json=body or chat_body(), headers=sent)

    def events(self, count: int = 1) -> list[UsageEvent]:
        """The next `count` recorded events since the last call; fails unless that is all."""
        deadline = time.monotonic() + 60
        while self.services.ledger.last_seq < self.seen + count and time.monotonic() < deadline:
            time.sleep(0.01)
        batches = self.services.ledger.read_batches(self.seen)
        found = [from_row(row) for batch in batches for row in batch.rows]
        self.seen += len(found)
        assert len(found) == count, found
        return found

    def event(self) -> UsageEvent:
        """The only event recorded since the last call."""
        return self.events()[0]

    def create_key(self, **changes: Any) -> tuple[ApiKey, str]:
        """Another API key."""
        created = self.administration.keys.create(
            self.operator,
            project_id=changes.pop("project_id", self.project.project_id),
            member_id=changes.pop("member_id", self.member_id),
            description="another",
            **changes,
        )
        self.services.watch.check()
        return created


def chat_body(
    *, stream: bool = False, model: str = "openai/gpt-5.5", **more: Any
) -> dict[str, Any]:
    """A chat completion."""
    body: dict[str, Any] = {"model": model, "messages": MESSAGES, **more}
    return {**body, "stream": True} if stream else body


def tokens_of(event: UsageEvent) -> TokenUsage:
    """The token counts of an event."""
    return TokenUsage(*(getattr(event, name) for name in TokenUsage._fields))


def counted(served: Served) -> TokenUsage:
    """The upstream's count, as Outlay represents it."""
    usage = served.usage or {}
    if "prompt_tokens" in usage:
        return TokenUsage(
            usage["prompt_tokens"],
            usage.get("completion_tokens", 0),
            usage.get("prompt_tokens_details", {}).get("cached_tokens", 0),
            0,
            0,
            usage.get("completion_tokens_details", {}).get("reasoning_tokens", 0),
        )
    if "cache_creation" in usage:
        written = usage["cache_creation_input_tokens"]
        read = usage["cache_read_input_tokens"]
        hour = usage["cache_creation"]["ephemeral_1h_input_tokens"]
        total = usage["input_tokens"] + written + read
        return TokenUsage(total, usage["output_tokens"], read, written, hour, 0)
    return TokenUsage(
        usage["input_tokens"],
        usage["output_tokens"],
        usage.get("input_tokens_details", {}).get("cached_tokens", 0),
        0,
        0,
        usage.get("output_tokens_details", {}).get("reasoning_tokens", 0),
    )


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """The upstream shared by all gateways."""
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="session")
def running_gate(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Gate]:
    """The gateway shared by the tests of this folder."""
    with open_gate(tmp_path_factory.mktemp("gateway") / "data", upstream) as gate:
        yield gate


@pytest.fixture
def gate(running_gate: Gate, upstream: Upstream) -> Gate:
    """The gateway, without events of earlier tests."""
    running_gate.seen = running_gate.services.ledger.last_seq
    upstream.served.clear()
    return running_gate


@contextmanager
def open_gate(data: Path, upstream: Upstream, proxy: ProxySettings = PATIENCE) -> Iterator[Gate]:
    """A separate gateway."""
    with (
        open_installation(Settings(data=data, proxy=proxy)) as services,
        serve(services) as url,
    ):
        gate = set_up(services, url, upstream)
        with gate.http:
            yield gate


def set_up(services: Services, url: str, upstream: Upstream) -> Gate:
    """An organization with a key and two upstreams, which are the same server."""
    administration = services.administration
    organization = administration.organizations.create("Gate")
    operator = operator_of(organization)
    member = administration.sign_in.set_owner(organization, "me@example.test", "a long password!")
    project, _ = administration.projects.ensure(operator, "Production")
    api_key, key = administration.keys.create(
        operator,
        project_id=project.project_id,
        member_id=member.member_id,
        description="backend",
    )
    for provider in ("openai", "anthropic"):
        administration.upstreams.create(
            operator,
            provider=provider,
            base_url=upstream.url,
            secret=f"sk-{provider}-secret-0123456789",
        )
    services.watch.check()
    return Gate(
        services=services,
        upstream=upstream,
        url=url,
        organization=organization,
        project=project,
        member_id=member.member_id,
        api_key=api_key,
        key=key,
    )


def serve(services: Services) -> "_Serving":
    """Serve an installation on loopback; the context is its URL."""
    return _Serving(services)


class _Serving:
    """A server in a thread."""

    def __init__(self, services: Services) -> None:
        grace = services.settings.proxy.grace_seconds
        config = server_config(Application(services, "operator"), grace_seconds=grace)
        self._server = uvicorn.Server(config)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}
        )
        self._services = services

    def __enter__(self) -> str:
        self._thread.start()
        self._services.watch.start()
        deadline = time.monotonic() + 10
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder for a separate gateway."""
    return tmp_path / "data"
