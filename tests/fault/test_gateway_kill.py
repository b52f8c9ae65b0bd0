"""SIGKILL of the gateway under load: every answer whose end a client has seen is recorded once."""

import json
import threading
import time
from pathlib import Path
from random import Random
from typing import Any, Self

import httpx
import pytest
from tests.gateway.conftest import chat_body, counted, tokens_of
from tests.program import command, kill_group, start, wait_for_server
from tests.upstream import Upstream, running_upstream

from outlay.bootstrap.administration import open_administration
from outlay.bootstrap.installation import open_installation
from outlay.domain.event import Status, UsageEvent, UsageSource
from outlay.domain.ids import EventId
from outlay.domain.organization import operator_of
from outlay.settings import read_settings
from outlay.storage.ledger.rows import from_row


class Load:
    """Clients that call continuously and store which answers they have seen the end of."""

    def __init__(self, url: str, key: str, *, is_persistent: bool = False) -> None:
        """Persistent clients call again if a connection breaks, the others stop."""
        self._url = url
        self._key = key
        self._is_persistent = is_persistent
        self._stop = threading.Event()
        self.refused = 0
        """Calls that a process refused because it did not know the caller yet."""
        self.finished: list[tuple[str, str]] = []
        """Request id and response id."""
        self._threads = [
            threading.Thread(target=self._run, args=(seed,), daemon=True) for seed in range(6)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, seed: int) -> None:
        random = Random(seed)
        headers = {"authorization": f"Bearer {self._key}"}
        with httpx.Client(timeout=20, headers=headers) as client:
            while not self._stop.is_set():
                try:
                    self._call(client, is_stream=random.random() < 0.5)
                except httpx.HTTPError:
                    if not self._is_persistent:
                        return  # the gateway is dead

    def _call(self, client: httpx.Client, *, is_stream: bool) -> None:
        body = chat_body(stream=is_stream)
        script = json.dumps({"pause": 0.002} if is_stream else {})
        with client.stream(
            "POST", f"{self._url}/v1/chat/completions", json=body, headers={"x-script": script}
        ) as answer:
            text = answer.read().decode()
        if self._is_persistent and answer.status_code == 503:
            self.refused += 1
            time.sleep(0.02)
            return
        assert answer.status_code == 200, text
        first: dict[str, Any] = json.loads(text.partition("\n\n")[0].removeprefix("data: "))
        if not is_stream or "[DONE]" in text:
            self.finished.append((answer.headers["x-outlay-request-id"], first["id"]))

    def wait_for(self, finished: int) -> None:
        """Wait until this many answers were completely received, however busy the machine is."""
        deadline = time.monotonic() + 60
        while len(self.finished) < finished:
            assert time.monotonic() < deadline, f"{len(self.finished)} of {finished} answers"
            time.sleep(0.005)

    def stop(self) -> list[tuple[str, str]]:
        """Stop the clients; returns the completely received answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.finished


def set_up(data: Path, upstream: Upstream) -> str:
    """An organization with a key and an upstream."""
    command("owner", "me@example.test", "--data", data, env_password="a long password!")
    with open_administration(read_settings(data=data)) as opened:
        operator = operator_of(opened.organizations.all()[0])
        member = opened.members.find_by_email(operator, None)
        project, _ = opened.projects.ensure(operator, "P")
        opened.upstreams.create(operator, provider="openai", base_url=upstream.url)
        _, key = opened.keys.create(
            operator,
            project_id=project.project_id,
            member_id=member.member_id,
            description="load",
        )
    return key


def stored(data: Path) -> list[UsageEvent]:
    """All recorded events."""
    with open_installation(read_settings(data=data)) as services:
        found = [
            from_row(row) for batch in services.ledger.read_batches(0, 10**6) for row in batch.rows
        ]
        assert services.ledger.intents() == []
        return found


@pytest.mark.parametrize(
    "kills", [8, pytest.param(100, marks=pytest.mark.long)], ids=["a few", "a hundred"]
)
def test_killing_the_gateway_under_load_loses_and_duplicates_nothing(
    tmp_path: Path, kills: int
) -> None:
    data = tmp_path / "data"
    random = Random(11)
    finished: list[tuple[str, str]] = []
    with running_upstream() as upstream:
        key = set_up(data, upstream)
        for _ in range(kills):
            server = start("serve", "--data", data, "--port", "0")
            with Load(wait_for_server(data, server)["url"], key) as load:
                load.wait_for(random.randrange(4, 24))
                kill_group(server)
                finished += load.stop()
            verified = command("verify", "--data", data)
            assert verified.returncode == 0, verified.stdout + verified.stderr
        events = stored(data)

    assert len(finished) > 5 * kills
    unfinished = check_account(events, finished, upstream)
    assert unfinished <= 6 * kills


def check_account(
    events: list[UsageEvent], finished: list[tuple[str, str]], upstream: Upstream
) -> int:
    """Check that every completely received answer is recorded once, with the upstream's count.

    Returns the number of other requests.
    """
    by_id = {event.event_id: event for event in events}
    assert len(by_id) == len(events)
    served = {entry.response_id: entry for entry in upstream.served}
    for request_id, response_id in finished:
        event = by_id[EventId(request_id)]
        assert event.response_id == response_id
        assert event.usage_source is UsageSource.PROVIDER
        assert tokens_of(event) == counted(served[response_id])
    # Each call of the upstream is one recorded request, or was open when the process died.
    known = [event.response_id for event in events if event.response_id]
    assert len(known) == len(set(known))
    interrupted = [event for event in events if event.error_code == "gateway-interrupted"]
    assert len(known) + len(interrupted) >= len(served)
    for event in interrupted:
        assert (event.status, event.usage_source) == (Status.GATEWAY_ERROR, UsageSource.UNKNOWN)
    return len(set(by_id) - {request_id for request_id, _ in finished})
