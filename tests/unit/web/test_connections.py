"""Which connection makes room when there are too many."""

import asyncio
import resource
from collections.abc import Callable

import pytest

from outlay.kit.addresses import parse_networks
from outlay.settings import EdgeSettings
from outlay.web.http import connections as module
from outlay.web.http.connections import Connections, Stage


class One:
    """A connection that records what happened to it."""

    def __init__(self) -> None:
        self.is_ended = False
        self.looks = 0

    def check(self, now: float) -> None:
        self.looks += 1

    def make_room(self) -> None:
        self.is_ended = True


def within_loop(test: Callable[[], None]) -> None:
    async def run() -> None:
        test()

    asyncio.run(run())


def held(most: int, per_client: int, proxies: str = "") -> Connections:
    return Connections(
        EdgeSettings(
            max_connections=most,
            max_connections_per_client=per_client,
            trusted_proxies=parse_networks(proxies),
        )
    )


def add(connections: Connections, address: str, count: int) -> list[One]:
    added = [One() for _ in range(count)]
    for one in added:
        assert connections.add(one, address)
    return added


def test_longest_waiting_connection_of_a_client_is_replaced() -> None:
    def test() -> None:
        connections = held(100, 3)
        other = add(connections, "192.0.2.9", 1)[0]
        first, second, third = add(connections, "192.0.2.1", 3)
        connections.move(first, Stage.HEAD, Stage.SERVING)
        add(connections, "192.0.2.1", 1)
        assert [one.is_ended for one in (other, first, second, third)] == [0, 0, 1, 0]
        assert len(connections) == 4

    within_loop(test)


def test_connections_sending_a_body_are_replaced_last() -> None:
    def test() -> None:
        connections = held(3, 3)
        sending, silent, serving = add(connections, "192.0.2.1", 3)
        connections.move(sending, Stage.HEAD, Stage.BODY)
        connections.move(serving, Stage.HEAD, Stage.BODY)
        connections.move(serving, Stage.BODY, Stage.SERVING)
        new = add(connections, "192.0.2.2", 1)[0]
        connections.move(new, Stage.HEAD, Stage.SERVING)
        assert (silent.is_ended, sending.is_ended) == (True, False)
        newer = add(connections, "192.0.2.2", 1)[0]
        connections.move(newer, Stage.HEAD, Stage.SERVING)
        assert (sending.is_ended, serving.is_ended) == (True, False)
        assert not connections.add(One(), "192.0.2.3")  # all others have a request in progress
        assert not serving.is_ended
        connections.move(serving, Stage.SERVING, Stage.HEAD)
        add(connections, "192.0.2.3", 1)
        assert serving.is_ended

    within_loop(test)


def test_trusted_proxy_is_not_one_client() -> None:
    def test() -> None:
        connections = held(100, 3, "192.0.2.1")
        assert not any(one.is_ended for one in add(connections, "192.0.2.1", 50))
        assert [one.is_ended for one in add(connections, "192.0.2.2", 4)] == [1, 0, 0, 0]

    within_loop(test)


def test_closed_connections_leave_nothing() -> None:
    def test() -> None:
        connections = held(1_000, 1_000)
        for number in range(500):
            one = add(connections, f"10.0.{number // 250}.{number % 250}", 1)[0]
            connections.move(one, Stage.HEAD, Stage.BODY)
            connections.remove(one)
            connections.remove(one)
            connections.move(one, Stage.BODY, Stage.SERVING)
        assert len(connections) == 0
        assert connections._clients == {}
        assert connections._all.waiting == ({}, {})

    within_loop(test)


def test_all_connections_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.01)

    async def run() -> None:
        connections = held(10, 10)
        one = add(connections, "192.0.2.1", 1)[0]
        await asyncio.sleep(0.1)
        assert one.looks > 2
        connections.remove(one)
        await asyncio.sleep(0.05)
        looks = one.looks
        await asyncio.sleep(0.05)
        assert (one.looks, connections._timer) == (looks, None)

    asyncio.run(run())


def test_connection_limit_leaves_file_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, expected in ((256, 80), (1024, 464), (20_000, 9_952), (1_000_000, 10_000), (64, 16)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert held(0, 0).most == expected
        assert held(0, 0).most_per_client == expected // 2
