"""`/prices`: what an organization has agreed on, above the list."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import Depends
from pydantic import Field, StringConstraints
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.organization_price import OrganizationPrice
from outlay.domain.policy import Permission
from outlay.web.api.models import Answer, Body
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.faults import DAY, PRICE
from outlay.web.http.routes import Router

router = Router(prefix="/prices", tags=["prices"])

Reader = Annotated[Actor, Depends(Requires(Permission.PRICES_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.PRICES_WRITE))]

Usd = Annotated[str, StringConstraints(pattern=PRICE.pattern)]
"""USD per million tokens, as text, so that it is exact."""
Day = Annotated[str, StringConstraints(pattern=DAY.pattern)]


class RatesBody(Body):
    """What a million tokens cost; what is left out costs what its tokens are part of."""

    input: Usd | None = None
    output: Usd | None = None
    cache_read: Usd | None = None
    cache_write: Usd | None = None
    cache_write_1h: Annotated[Usd | None, Field(alias="cacheWrite1h")] = None
    reasoning: Usd | None = None


class TierBody(RatesBody):
    """What changes for the whole request when its input has more tokens."""

    above: Annotated[int, Field(strict=True, gt=0, le=1_000_000_000)]


class PriceBody(RatesBody):
    """A price to be: USD per million tokens, `perRequest` in USD per request."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    provider: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    effective_from: Day | None = None
    effective_to: Day | None = None
    per_request: Usd | None = None
    context: dict[str, str] | None = None
    tier: Annotated[list[TierBody], Field(max_length=10)] | None = None


class PriceAnswer(Answer):
    """A price that applies; what it does not say is left out."""

    price_id: str
    model: str
    provider: str | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    input: str | None = None
    output: str | None = None
    cache_read: str | None = None
    cache_write: str | None = None
    cache_write_1h: Annotated[str | None, Field(alias="cacheWrite1h")] = None
    reasoning: str | None = None
    per_request: str | None = None
    context: dict[str, str] | None = None
    tier: list[TierBody] | None = None


class PriceList(Answer):
    """Prices of the organization's own, oldest first."""

    prices: list[PriceAnswer]


def _render(price: OrganizationPrice) -> PriceAnswer:
    entry: Mapping[str, Any] = price.entry
    tiers = [
        TierBody.model_validate(tier, by_name=True, by_alias=False)
        for tier in entry.get("tier", [])
    ]
    fields = {name: value for name, value in entry.items() if name != "tier"}
    return PriceAnswer(price_id=price.price_id, tier=tiers or None, **fields)


@router.get("", response_model_exclude_none=True)
def get_prices(request: Request, actor: Reader) -> PriceList:
    """The prices that apply before the operator's file and the list."""
    found = services_of(request).administration.prices.of(actor)
    return PriceList(prices=[_render(price) for price in found])


@router.post("", status_code=201, response_model_exclude_none=True)
def post_price(request: Request, body: PriceBody, actor: Writer) -> PriceAnswer:
    """A new price, for requests from now on. What is on record keeps its cost."""
    entry = body.model_dump(exclude_none=True, by_alias=False)
    return _render(services_of(request).administration.prices.create(actor, entry))


@router.delete("/{price_id}", status_code=204)
def delete_price(request: Request, price_id: str, actor: Writer) -> None:
    """Remove a price."""
    services_of(request).administration.prices.delete(actor, price_id)
