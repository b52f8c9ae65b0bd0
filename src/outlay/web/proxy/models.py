"""`GET /v1/models`: what an API key can ask for."""

import asyncio
import time
from typing import Any, Final

import msgspec
import orjson

from outlay.domain.organization import ApiKey
from outlay.domain.upstream import Upstream
from outlay.services.routing import Router
from outlay.web.proxy.upstream import UpstreamClient, UpstreamFailure

FRESH_SECONDS: Final = 300.0
ANSWER_SECONDS: Final = 10.0
MAX_LIST_BYTES: Final = 4 * 1024 * 1024

_decode: Final = msgspec.json.Decoder().decode


class ModelList:
    """The models of all upstreams, as `upstream/model`, and the organization's own names.

    Each upstream is asked for its list every five minutes at most; one that does not answer is
    left out until it does.
    """

    def __init__(self, router: Router, upstreams: UpstreamClient) -> None:
        self._router = router
        self._upstreams = upstreams
        self._known: dict[str, tuple[float, list[str]]] = {}

    async def names(self, api_key: ApiKey, hops: str) -> list[str]:
        """Every name that a request of the key may use; `hops` is the way that it came."""
        configured = self._router.upstreams(api_key.organization_id)
        lists = await asyncio.gather(
            *(self._of(entry, secret, hops) for entry, secret in configured)
        )
        names = self._router.mapping_names(api_key.organization_id)
        for (upstream, _), models in zip(configured, lists, strict=True):
            names += [f"{upstream.name}/{model}" for model in models]
        return names

    async def _of(self, upstream: Upstream, secret: str, hops: str) -> list[str]:
        key = upstream.place
        found = self._known.get(key)
        if found and found[0] > time.monotonic() - FRESH_SECONDS:
            return found[1]
        headers = {"accept-encoding": "identity"}
        if secret:
            headers["authorization"] = f"Bearer {secret}"
            if upstream.provider == "anthropic":
                headers = {
                    "accept-encoding": "identity",
                    "x-api-key": secret,
                    "anthropic-version": "2023-06-01",
                }
        try:
            models = await asyncio.wait_for(self._ask(upstream, headers, hops), ANSWER_SECONDS)
        except (UpstreamFailure, TimeoutError):
            return found[1] if found else []
        if len(self._known) > 1_000:
            self._known.clear()
        self._known[key] = (time.monotonic(), models)
        return models

    async def _ask(self, upstream: Upstream, headers: dict[str, str], hops: str) -> list[str]:
        response = await self._upstreams.send(
            f"{upstream.base_url}/models", headers, None, hops=hops
        )
        body = b""
        try:
            while chunk := await response.read():
                body += chunk
                if len(body) > MAX_LIST_BYTES:
                    return []
        finally:
            response.close()
        try:
            listed = _decode(body)["data"] if response.status == 200 else []
            return [str(model["id"]) for model in listed]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
            return []


def render_models(names: list[str], *, is_anthropic: bool) -> bytes:
    """The list in the shape that OpenAI's or Anthropic's clients read."""
    if not is_anthropic:
        data: list[dict[str, Any]] = [
            {"id": name, "object": "model", "created": 0, "owned_by": name.partition("/")[0]}
            for name in names
        ]
        return orjson.dumps({"object": "list", "data": data})
    data = [
        {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": "1970-01-01T00:00:00Z",
        }
        for name in names
    ]
    ends = {"first_id": names[0], "last_id": names[-1]} if names else {}
    return orjson.dumps({"data": data, "has_more": False, **ends})
