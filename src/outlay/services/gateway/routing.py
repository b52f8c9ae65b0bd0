"""Routing: from the model in a request to the upstream that serves it."""

from dataclasses import dataclass

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import NotFound
from outlay.domain.event import MAX_TEXT
from outlay.domain.ids import OrganizationId
from outlay.domain.provider import find_provider
from outlay.domain.upstream import ModelMapping, Upstream
from outlay.kit.cache import Cache
from outlay.pricing.book import PriceBook
from outlay.services.directory.upstreams import Upstreams
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.upstreams import list_model_mappings, list_upstreams


@dataclass(frozen=True, slots=True)
class Route:
    """The destination of a request."""

    upstream: Upstream
    secret: str
    model: str
    """The upstream's name of the model."""
    provider: str
    """The provider's normalised name: an upstream may have been configured under an alias."""
    mapping: str
    """The provider-tagged route, `openai/gpt-5.5`."""


@dataclass(slots=True)
class _Known:
    """The cached data of one organization."""

    upstreams: list[Upstream]
    secrets: dict[str, str]
    mappings: dict[str, ModelMapping]
    routes: dict[str, Route | None]
    """Known routes, by model."""


_MAX_ROUTES = 10_000


class Router:
    """Routes from memory; call `refresh` after directory changes."""

    def __init__(self, directory: Directory, upstreams: Upstreams, prices: PriceBook) -> None:
        self._directory = directory
        self._upstreams = upstreams
        self._prices = prices
        self._known: Cache[OrganizationId, _Known] = Cache(self._read)

    def knows(self, organization_id: OrganizationId) -> bool:
        """Whether an organization's data is cached."""
        return organization_id in self._known

    def refresh(self) -> None:
        """Reload the cached data."""
        self._known.refresh()

    def route(self, organization_id: OrganizationId, model: str) -> Route:
        """The route of a model; raises NotFound if there is none.

        In this order: a model mapping; `upstream/model` or `provider/model`; a bare name at the
        only upstream, or at the first whose provider is known to offer it.
        """
        known = self._known.get(organization_id)
        if model in known.routes:
            found = known.routes[model]
        else:
            found = self._find(known, model)
            if len(known.routes) >= _MAX_ROUTES:
                known.routes.clear()
            known.routes[model] = found
        if found is not None:
            return found
        if not known.upstreams:
            raise NotFound(
                "This organization has no upstream. Add one with `outlay upstream add`.",
                code=ErrorCode.NO_UPSTREAM,
            )
        names = ", ".join(upstream.name for upstream in known.upstreams)
        raise NotFound(
            f"No upstream is configured for the model {model!r}. Put an upstream before the "
            f"model, such as {known.upstreams[0].name}/{model} (available: {names}).",
            code=ErrorCode.MODEL_NOT_FOUND,
        )

    def upstreams(self, organization_id: OrganizationId) -> list[tuple[Upstream, str]]:
        """All upstreams of an organization with their secrets."""
        known = self._known.get(organization_id)
        return [(upstream, known.secrets[upstream.upstream_id]) for upstream in known.upstreams]

    def mappings(self, organization_id: OrganizationId) -> list[ModelMapping]:
        """The organization's model mappings."""
        return list(self._known.get(organization_id).mappings.values())

    def _find(self, known: _Known, model: str) -> Route | None:
        if not model or len(model) > MAX_TEXT or not model.isprintable():
            return None
        if mapping := known.mappings.get(model):
            for upstream in known.upstreams:
                if upstream.upstream_id == mapping.upstream_id:
                    return _route(known, upstream, mapping.model)
        prefix, slash, rest = model.partition("/")
        if slash and rest:
            by_name = [u for u in known.upstreams if u.name == prefix]
            provider = find_provider(prefix)
            for upstream in by_name or [
                u for u in known.upstreams if find_provider(u.provider) == provider
            ]:
                return _route(known, upstream, rest)
        if len(known.upstreams) == 1:
            return _route(known, known.upstreams[0], model)
        for upstream in known.upstreams:
            if self._prices.has_list_price(upstream.provider, model):
                return _route(known, upstream, model)
        return None

    def _read(self, organization_id: OrganizationId) -> _Known:
        with self._directory.read() as session:
            stored = list_upstreams(session, organization_id)
            mappings = list_model_mappings(session, organization_id)
        return _Known(
            upstreams=[entry.upstream for entry in stored],
            secrets={
                entry.upstream.upstream_id: self._upstreams.open_secret(entry) for entry in stored
            },
            mappings={mapping.name: mapping for mapping in mappings},
            routes={},
        )


def _route(known: _Known, upstream: Upstream, model: str) -> Route:
    secret = known.secrets[upstream.upstream_id]
    provider = find_provider(upstream.provider)
    return Route(upstream, secret, model, provider, f"{provider}/{model}"[:MAX_TEXT])
