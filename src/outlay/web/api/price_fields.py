"""Shared parts of bodies and answers about prices, with the fields of the price file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from outlay.domain.errors import Invalid
from outlay.domain.organization_price import OrganizationPrice, OrganizationRate
from outlay.pricing.exchange import Conversion
from outlay.web.api.models import Answer, Body
from outlay.web.http.faults import DAY, PRICE

Number = Annotated[str, StringConstraints(pattern=PRICE.pattern)]
"""An amount or a percentage, as text, so that it is exact."""
Day = Annotated[str, StringConstraints(pattern=DAY.pattern)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Currency = Annotated[str, StringConstraints(min_length=1, max_length=10)]
ByMeter = Annotated[dict[str, Number], Field(max_length=100)]


class RatesBody(Body):
    """Prices per million tokens. A missing price is that of the count that its tokens are part
    of."""

    input: Number | None = None
    output: Number | None = None
    cache_read: Number | None = None
    cache_write: Number | None = None
    cache_write_1h: Annotated[Number | None, Field(alias="cacheWrite1h")] = None
    reasoning: Number | None = None
    per_request: Number | None = None


class TierBody(RatesBody):
    """Prices for the whole request if its input has more tokens."""

    above: Annotated[int, Field(strict=True, gt=0, le=1_000_000_000)]


class PriceBody(RatesBody):
    """A new price: amounts per million tokens, `perRequest` per request, or percentages."""

    model: Name | None = None
    provider: Name | None = None
    effective_from: Day | None = None
    effective_to: Day | None = None
    percent_of_list: Number | None = None
    percents: ByMeter | None = None
    currency: Currency | None = None
    meters: ByMeter | None = None
    context: dict[str, str] | None = None
    tier: Annotated[list[TierBody], Field(max_length=10)] | None = None

    @property
    def entry(self) -> dict[str, Any]:
        """The fields of a `[[price]]` table; None is the same as a missing field."""
        given = self.model_dump(exclude_none=True, by_alias=False)
        return {name: value for name, value in given.items() if value not in ({}, [])}


class RateBody(Body):
    """A new exchange rate: USD for one unit of the currency."""

    currency: Currency
    effective_from: Day | None = None
    usd: Number

    @property
    def entry(self) -> dict[str, Any]:
        """The fields of an `[[exchange_rate]]` table."""
        return self.model_dump(exclude_none=True, by_alias=False)


class PriceAnswer(Answer):
    """A price that applies; unset fields are left out."""

    price_id: str
    model: str | None = None
    provider: str | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    percent_of_list: str | None = None
    percents: dict[str, str] | None = None
    currency: str | None = None
    usd_per_unit: str | None = None
    """The current exchange rate of its amounts."""
    input: str | None = None
    output: str | None = None
    cache_read: str | None = None
    cache_write: str | None = None
    cache_write_1h: Annotated[str | None, Field(alias="cacheWrite1h")] = None
    reasoning: str | None = None
    per_request: str | None = None
    meters: dict[str, str] | None = None
    context: dict[str, str] | None = None
    tier: list[TierBody] | None = None


class RateAnswer(Answer):
    """An exchange rate, valid from its day until the next one of its currency."""

    rate_id: str
    currency: str
    effective_from: date | None = None
    usd: str


def render_price(price: OrganizationPrice, conversion: Conversion | None) -> PriceAnswer:
    """The answer for a price."""
    entry: Mapping[str, Any] = price.entry
    tiers = [
        TierBody.model_validate(tier, by_name=True, by_alias=False)
        for tier in entry.get("tier", [])
    ]
    fields = {name: value for name, value in entry.items() if name != "tier"}
    return PriceAnswer(
        price_id=price.price_id,
        usd_per_unit=None if conversion is None else f"{conversion.usd:f}",
        tier=tiers or None,
        **fields,
    )


def render_rate(rate: OrganizationRate) -> RateAnswer:
    """The answer for an exchange rate."""
    return RateAnswer(rate_id=rate.rate_id, **rate.entry)


_ALIASES: Final = {name: field.alias or name for name, field in {**PriceBody.model_fields}.items()}


@contextmanager
def faults_at_fields() -> Iterator[None]:
    """Rename the fields of faults to their names in the API."""
    try:
        yield
    except Invalid as error:
        if not error.field:
            raise
        first, dot, rest = error.field.partition(".")
        field = f"{_ALIASES.get(first, first)}{dot}{rest}"
        message = error.message.replace(f"`{error.field}`", f"`{field}`", 1)
        raise Invalid(message, code=error.code, field=field) from error
