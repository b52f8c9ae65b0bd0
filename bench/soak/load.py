"""Mixed load: applications, senders of usage and dashboard users, some of whom disconnect."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import aiohttp

EMAIL: Final = "me@example.test"
PASSWORD: Final = "a long password!"

DISCONNECTS: Final = 0.05
"""Share of requests whose client disconnects before the end of the answer."""

BATCH: Final = 50
"""Events sent at a time."""

BURST: Final = 30
BURST_SECONDS: Final = 15.0
"""Concurrent queries of the request log, and the time between two bursts: long enough for the
threads to be idle for the 10 s after which the server ends them.
"""

PAGES: Final = (
    "/organization/analytics",
    "/organization/members",
    "/organization/users-and-groups",
    "/organization/report",
    "/monitoring/dashboard",
    "/monitoring/users",
    "/monitoring/requests",
    "/monitoring/audit",
    "/me/usage",
)
QUESTIONS: Final = (
    "/api/v1/analytics/summary?preset=7d",
    "/api/v1/analytics/activity?preset=7d&groupBy=model",
    "/api/v1/analytics/latency?preset=7d",
    "/api/v1/analytics/health",
    "/api/v1/analytics/users?preset=7d",
    "/api/v1/requests?preset=7d&limit=50",
)
EXPORTS: Final = (
    "/api/v1/exports/activity.csv?preset=7d",
    "/api/v1/exports/report?preset=7d&groupBy=model&format=csv",
    "/api/v1/exports/report?preset=7d&groupBy=model&format=xlsx",
    "/api/v1/exports/report?preset=7d&groupBy=model&format=parquet",
)
MODELS: Final = ("openai/gpt-5.5", "openai/gpt-5.5-mini")


class Load:
    """All clients at once, for some time, and their results."""

    def __init__(self, url: str, *, key: str, token: str, seed: int) -> None:
        self.answers: Counter[str] = Counter()
        """Requests by kind."""
        self.disconnects = 0
        self.faults: list[str] = []
        """Unexpected responses."""
        self.finished: dict[str, str] = {}
        """Response ids of completely received answers, by request id."""
        self.acknowledged: dict[str, int] = {}
        """Input tokens of acknowledged events, by event id."""
        self.given_up: set[str] = set()
        """Events whose sender disconnected."""
        self._url = url
        self._key = {"authorization": f"Bearer {key}"}
        self._token = {"authorization": f"Bearer {token}"}
        self._random = Random(seed)
        self._sent = 0
        self._until = 0.0

    async def run(self, seconds: float) -> None:
        """Run the load; all responses have arrived when this returns."""
        self._until = time.monotonic() + seconds
        timeout = aiohttp.ClientTimeout(total=60)
        # The server closes a connection after 5 s without a request; clients should close earlier.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await asyncio.gather(
                *(self._repeat(self._call, session, pause=0.15) for _ in range(8)),
                *(self._repeat(self._send, session, pause=1.0) for _ in range(2)),
                *(self._repeat(self._ask, session, pause=0.5) for _ in range(2)),
                self._repeat(self._export, session, pause=5.0),
                self._repeat(self._ask_at_once, session, pause=BURST_SECONDS),
                self._repeat(self._look, session, pause=1.0),
            )

    async def _repeat(
        self,
        work: Callable[[aiohttp.ClientSession], Awaitable[None]],
        session: aiohttp.ClientSession,
        *,
        pause: float,
    ) -> None:
        """Repeat work with random pauses of about `pause`."""
        while time.monotonic() < self._until:
            try:
                await work(session)
            except (aiohttp.ClientError, TimeoutError) as error:
                self.faults.append(f"{work.__name__}: {type(error).__name__} {error}")
            await asyncio.sleep(pause * self._random.uniform(0.5, 1.5))

    def _note(self, kind: str, answer: aiohttp.ClientResponse) -> None:
        self.answers[kind] += 1
        if answer.status not in {200, 303}:
            self.faults.append(f"{kind}: {answer.status} {answer.url.path}")

    def _hangs_up(self) -> bool:
        hangs_up = self._random.random() < DISCONNECTS
        self.disconnects += hangs_up
        return hangs_up

    async def _call(self, session: aiohttp.ClientSession) -> None:
        """A request through the gateway, streamed or not."""
        is_stream = self._random.random() < 0.5
        body: dict[str, Any] = {
            "model": self._random.choice(MODELS),
            "messages": [{"role": "user", "content": "Say hello to the people in the room."}],
            "script": {"pause": 0.01, "words": self._random.randrange(2, 20)},
        }
        if is_stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        hangs_up = self._hangs_up()
        timeout = 60.0
        if hangs_up and not is_stream:  # after a moment, at any stage of the request
            body["script"] = {"stall": "before", "seconds": 0.1}
            timeout = self._random.uniform(0.002, 0.05)
        try:
            async with session.post(
                f"{self._url}/v1/chat/completions",
                json=body,
                headers=self._key,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as answer:
                self._note("streamed answers" if is_stream else "whole answers", answer)
                if hangs_up:
                    await answer.content.readany()
                    answer.close()
                    return
                text = await answer.text()
        except TimeoutError:
            if not hangs_up:
                raise
            return
        start = text.index('"id": "') + len('"id": "')
        response_id = text[start : text.index('"', start)]
        self.finished[answer.headers["x-outlay-request-id"]] = response_id

    async def _send(self, session: aiohttp.ClientSession) -> None:
        """A batch of events."""
        tokens: dict[str, int] = {}
        events = []
        for _ in range(BATCH):
            self._sent += 1
            event_id, spent = f"sent-{self._sent}", self._random.randrange(1, 9_000)
            tokens[event_id] = spent
            at = datetime.now(UTC) - timedelta(seconds=self._random.randrange(86_400))
            events.append(
                {
                    "eventId": event_id,
                    "eventTime": at.isoformat(),
                    "model": self._random.choice(MODELS),
                    "usage": {"inputTokens": spent, "outputTokens": 100},
                    "projectId": f"project-{self._random.randrange(4)}",
                    "userId": f"user-{self._random.randrange(40)}",
                }
            )
        hangs_up = self._hangs_up()
        timeout = aiohttp.ClientTimeout(total=0.005 if hangs_up else 60)
        url = f"{self._url}/v1/usage/events"
        try:
            async with session.post(
                url, json=events, headers=self._token, timeout=timeout
            ) as answer:
                await answer.read()
                self._note("batches of events", answer)
                if answer.status == 200:
                    self.acknowledged |= tokens
        except (TimeoutError, aiohttp.ClientError):
            if not hangs_up:
                raise
            self.given_up |= set(tokens)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        await self._get(session, "questions", self._random.choice(QUESTIONS))

    async def _export(self, session: aiohttp.ClientSession) -> None:
        await self._get(session, "exports", self._random.choice(EXPORTS))

    async def _ask_at_once(self, session: aiohttp.ClientSession) -> None:
        """A burst of queries of the request log."""
        path = "/api/v1/requests?preset=7d&limit=100"
        await asyncio.gather(*(self._get(session, "bursts", path) for _ in range(BURST)))

    async def _get(self, session: aiohttp.ClientSession, kind: str, path: str) -> None:
        async with session.get(self._url + path, headers=self._token) as answer:
            self._note(kind, answer)
            if self._hangs_up():
                await answer.content.read(1)
                answer.close()
            else:
                await answer.read()

    async def _look(self, others: aiohttp.ClientSession) -> None:
        """A user signs in, views some pages, and signs out or just leaves."""
        jar = aiohttp.CookieJar(unsafe=True)  # cookies for an address without a host name
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(cookie_jar=jar, timeout=timeout) as session:
            form = {"email": EMAIL, "password": PASSWORD}
            async with session.post(
                f"{self._url}/login", data=form, allow_redirects=False
            ) as answer:
                self._note("sign-ins", answer)
                if answer.status != 303:
                    return
            for _ in range(self._random.randrange(3, 12)):
                path = self._random.choice(PAGES)
                async with session.get(self._url + path, allow_redirects=False) as answer:
                    self._note("pages", answer)
                    await answer.read()
                await asyncio.sleep(self._random.uniform(0.1, 0.8))
            if self._random.random() < 0.5:
                async with session.post(f"{self._url}/logout", allow_redirects=False) as answer:
                    self._note("sign-outs", answer)
