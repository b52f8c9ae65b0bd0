"""`GET /v1/models`: the models available to an API key."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import orjson

from outlay.domain.organization import ApiKey
from outlay.domain.upstream import Upstream
from outlay.kit.clock import MICROSECONDS, from_us
from outlay.services.gateway.routing import Router
from outlay.web.proxy.upstream import UpstreamClient, UpstreamFailure
from outlay.wire.answer import Fields, text_of
from outlay.wire.values import time_us_of

FRESH_SECONDS: Final = 300.0
ANSWER_SECONDS: Final = 10.0
MAX_LIST_BYTES: Final = 4 * 1024 * 1024

_decode: Final = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An available model."""

    name: str
    provider: str
    created_at_us: int
    """As reported by its provider; otherwise when its upstream or mapping was created."""
    display_name: str = ""
    capabilities: Mapping[str, bool] = field(default_factory=dict)


class ModelList:
    """The models of all upstreams, as `upstream/model`, and the organization's own names.

    Each upstream's list is fetched at most every five minutes; an unreachable upstream is left out
    until it responds.
    """

    def __init__(self, router: Router, upstreams: UpstreamClient) -> None:
        self._router = router
        self._upstreams = upstreams
        self._known: dict[str, tuple[float, list[Model]]] = {}

    async def models(self, api_key: ApiKey, hops: str) -> list[Model]:
        """All models that requests with the key may use; `hops` is the loop detection header."""
        configured = self._router.upstreams(api_key.organization_id)
        lists = await asyncio.gather(
            *(self._of(entry, secret, hops) for entry, secret in configured)
        )
        providers = {upstream.upstream_id: upstream.provider for upstream, _ in configured}
        found = [
            Model(
                name=mapping.name,
                provider=providers.get(mapping.upstream_id, ""),
                created_at_us=mapping.created_at_us,
            )
            for mapping in self._router.mappings(api_key.organization_id)
        ]
        for models in lists:
            found += models
        return found

    async def _of(self, upstream: Upstream, secret: str, hops: str) -> list[Model]:
        key = f"{upstream.name}|{upstream.place}"
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

    async def _ask(self, upstream: Upstream, headers: dict[str, str], hops: str) -> list[Model]:
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
            return [_listed(upstream, model) for model in listed]
        except (
            msgspec.DecodeError,
            UnicodeDecodeError,
            RecursionError,
            KeyError,
            TypeError,
            AttributeError,
        ):
            return []


def _listed(upstream: Upstream, entry: Fields) -> Model:
    """A model in an upstream's list; raises KeyError or TypeError for a malformed entry."""
    capabilities = entry.get("capabilities")
    return Model(
        name=f"{upstream.name}/{entry['id']}",
        provider=upstream.provider,
        created_at_us=time_us_of(entry.get("created_at") or entry.get("created"))
        or upstream.created_at_us,
        display_name=text_of(entry.get("display_name")),
        capabilities={
            name: value
            for name, value in (capabilities if isinstance(capabilities, dict) else {}).items()
            if isinstance(value, bool)
        },
    )


def render_models(models: Sequence[Model], *, is_anthropic: bool) -> bytes:
    """The list in the format of OpenAI's or Anthropic's clients.

    Mistral's client reads OpenAI's format, and requires `type` and `capabilities` in it.
    """
    if not is_anthropic:
        data: list[dict[str, Any]] = [
            {
                "id": model.name,
                "object": "model",
                "created": model.created_at_us // MICROSECONDS,
                "owned_by": model.provider,
                "type": "base",
                "capabilities": model.capabilities,
            }
            for model in models
        ]
        return orjson.dumps({"object": "list", "data": data})
    data = [
        {
            "type": "model",
            "id": model.name,
            "display_name": model.display_name or model.name,
            "created_at": f"{from_us(model.created_at_us):%Y-%m-%dT%H:%M:%SZ}",
        }
        for model in models
    ]
    ends = {"first_id": models[0].name, "last_id": models[-1].name} if models else {}
    return orjson.dumps({"data": data, "has_more": False, **ends})
