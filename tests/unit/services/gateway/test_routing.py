"""From the requested model to the upstream that answers."""

import pytest

from outlay.domain.actor import Actor
from outlay.domain.errors import NotFound
from outlay.domain.ids import OrganizationId
from outlay.pricing.book import PriceBook
from outlay.services.bundle import Administration
from outlay.services.gateway.routing import Router
from outlay.storage.directory.engine import Directory


@pytest.fixture
def router(administration: Administration, directory: Directory) -> Router:
    return Router(directory, administration.upstreams, PriceBook())


def add(administration: Administration, operator: Actor, provider: str, name: str = "") -> None:
    administration.upstreams.create(
        operator,
        provider=provider,
        base_url=f"https://{name or provider}.example.com/v1",
        secret=f"secret of {name or provider}",
        name=name or None,
    )


def routed(router: Router, operator: Actor, model: str) -> tuple[str, str]:
    route = router.route(operator.organization_id, model)
    return route.upstream.name, route.model


def test_organization_without_upstream_is_reported(router: Router, operator: Actor) -> None:
    with pytest.raises(NotFound) as refused:
        router.route(operator.organization_id, "openai/gpt-5.5")
    assert refused.value.code == "no-upstream"


def test_the_only_upstream_answers_every_bare_name(
    administration: Administration, router: Router, operator: Actor
) -> None:
    add(administration, operator, "openai")

    assert routed(router, operator, "anything") == ("openai", "anything")
    route = router.route(operator.organization_id, "openai/gpt-5.5")
    assert (route.model, route.mapping) == ("gpt-5.5", "openai/gpt-5.5")
    assert route.secret == "secret of openai"


def test_upstream_name_precedes_provider_and_list_prices_decide_bare_names(
    administration: Administration, router: Router, operator: Actor
) -> None:
    add(administration, operator, "openai")
    add(administration, operator, "anthropic")
    add(administration, operator, "openai", "eu")

    assert routed(router, operator, "eu/gpt-4o") == ("eu", "gpt-4o")
    assert routed(router, operator, "openai/gpt-4o") == ("openai", "gpt-4o")
    model = "claude-sonnet-4-5"
    assert routed(router, operator, model) == ("anthropic", model)
    for model in ("nobody/has-this", "unheard-of", "", "a\nb"):
        with pytest.raises(NotFound) as refused:
            router.route(operator.organization_id, model)
        assert refused.value.code == "model-not-found"


def test_foreign_upstreams_are_not_used(
    administration: Administration, router: Router, operator: Actor
) -> None:
    add(administration, operator, "openai")
    with pytest.raises(NotFound):
        router.route(OrganizationId("another"), "openai/gpt-4o")
