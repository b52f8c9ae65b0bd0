"""`/api/v1/prices` and `/api/v1/exchange-rates`: negotiated prices and their
currencies.
"""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.policy import Permission
from outlay.services.directory.prices import conversions
from outlay.web.api.models import Answer
from outlay.web.api.price_fields import (
    PriceAnswer,
    PriceBody,
    RateAnswer,
    RateBody,
    faults_at_fields,
    render_price,
    render_rate,
)
from outlay.web.api.price_preview import PreviewAnswer, render_preview
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/prices", tags=["prices"])
rates_router = Router(prefix="/exchange-rates", tags=["prices"])

Reader = Annotated[Actor, Depends(Requires(Permission.PRICES_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.PRICES_WRITE))]


class PriceList(Answer):
    """The organization's own prices, oldest first."""

    prices: list[PriceAnswer]


class RateList(Answer):
    """The organization's own exchange rates, by currency, earliest first."""

    exchange_rates: list[RateAnswer]


@router.get("", response_model_exclude_none=True)
def get_prices(request: Request, actor: Reader) -> PriceList:
    """List the organization's prices, which override the operator's file and the list."""
    services = services_of(request)
    own = services.administration.prices.list_for(actor)
    rates = conversions(own, services.now_us())
    return PriceList(
        prices=[render_price(price, rates.get(price.price_id)) for price in own.prices]
    )


@router.post("", status_code=201, response_model_exclude_none=True)
def post_price(request: Request, body: PriceBody, actor: Writer) -> PriceAnswer:
    """Create a price for new requests. Recorded costs do not change."""
    services = services_of(request)
    prices = services.administration.prices
    with faults_at_fields():
        price = prices.create(actor, body.entry)
    rates = conversions(prices.list_for(actor), services.now_us())
    return render_price(price, rates.get(price.price_id))


@router.post("/preview")
def post_price_preview(request: Request, body: PriceBody, actor: Writer) -> PreviewAnswer:
    """Preview the effect of a new price on last month. Nothing is saved."""
    with faults_at_fields():
        return render_preview(services_of(request).price_previews.of_price(actor, body.entry))


@router.get("/{price_id}/deletion-preview")
def get_deletion_preview(request: Request, price_id: str, actor: Writer) -> PreviewAnswer:
    """Preview the effect of deleting a price on last month. Nothing is saved."""
    return render_preview(services_of(request).price_previews.of_deletion(actor, price_id))


@router.delete("/{price_id}", status_code=204)
def delete_price(request: Request, price_id: str, actor: Writer) -> None:
    """Delete a price."""
    services_of(request).administration.prices.delete(actor, price_id)


@rates_router.get("", response_model_exclude_none=True)
def get_exchange_rates(request: Request, actor: Reader) -> RateList:
    """List the exchange rates of prices in other currencies."""
    own = services_of(request).administration.prices.list_for(actor)
    return RateList(exchange_rates=[render_rate(rate) for rate in own.rates])


@rates_router.post("", status_code=201, response_model_exclude_none=True)
def post_exchange_rate(request: Request, body: RateBody, actor: Writer) -> RateAnswer:
    """Create an exchange rate for requests from its day on. Recorded costs do not change."""
    with faults_at_fields():
        return render_rate(
            services_of(request).administration.prices.create_rate(actor, body.entry)
        )


@rates_router.post("/preview")
def post_rate_preview(request: Request, body: RateBody, actor: Writer) -> PreviewAnswer:
    """Preview the effect of a new exchange rate on last month. Nothing is saved."""
    with faults_at_fields():
        return render_preview(services_of(request).price_previews.of_rate(actor, body.entry))


@rates_router.delete("/{rate_id}", status_code=204)
def delete_exchange_rate(request: Request, rate_id: str, actor: Writer) -> None:
    """Delete an exchange rate; refused while a price needs it."""
    services_of(request).administration.prices.delete_rate(actor, rate_id)
