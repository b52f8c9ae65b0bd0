"""The cost of a request: computed with the price book, or as reported.

One function prices new and recorded requests, so repricing an event with the same book yields the
same cost.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from outlay.domain.event import CostSource, Status
from outlay.domain.meter import join_meters, join_names
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import BATCH
from outlay.pricing.book import UNPRICED, PriceBook, PricedUsage

_NOTHING: Final = TokenUsage()
_FREE: Final = PricedUsage(0, 0, 0, 0, 0, CostSource.COMPUTED, "")
"""No usage costs nothing at any price."""

NOT_BY_TOKENS: Final = frozenset(
    {"image_generation", "transcription", "translation", "speech", "video", "rerank", "ocr"}
)
"""Operations billed by image, second, character or search: even without tokens there is a cost."""


class Billed(NamedTuple):
    """What the cost of a request depends on."""

    provider: str
    mapping: str
    response_model: str
    at_us: int
    operation: str
    status: str
    """A Status."""
    usage: TokenUsage | None
    """Settled; None if usage is unknown."""
    meters: Mapping[str, int]
    """Settled."""
    unread: Sequence[str]
    context: Mapping[str, str]
    reported_cost_pusd: int | None
    source: str


def price_billed(book: PriceBook, billed: Billed) -> PricedUsage:
    """The cost according to the price book, or as reported.

    A reported cost counts if its provider is known to state what it charges, or if the book lacks a
    price for a part of the usage. Raises Invalid if the cost is more than an event can have.
    """
    is_counted = bool(billed.meters) or (billed.usage is not None and billed.usage != _NOTHING)
    priced = UNPRICED
    if is_counted or (billed.usage is not None and not _is_billed_otherwise(billed)):
        priced = _at_book(book, billed)
        if not is_counted and priced.cost_source is CostSource.UNPRICED:
            priced = _FREE
    if billed.unread and priced.cost_source is not CostSource.UNPRICED:
        parts = (*priced.unpriced_parts, *billed.unread)
        priced = priced._replace(cost_source=CostSource.PARTIAL, unpriced_parts=parts)
    computed = None if priced.cost_source is CostSource.UNPRICED else priced.cost_pusd
    priced = priced._replace(computed_cost_pusd=computed)
    reported = billed.reported_cost_pusd
    if reported is None:
        return priced
    is_whole = priced.cost_source not in {CostSource.UNPRICED, CostSource.PARTIAL}
    # Without token counts, only the sender knows what was used.
    if is_whole and (is_counted or not reported) and not book.is_reported_first(billed.provider):
        return priced
    return PricedUsage(
        reported,
        0,
        0,
        0,
        0,
        CostSource.REPORTED,
        billed.source,
        unpriced_parts=priced.unpriced_parts,
        computed_cost_pusd=computed,
    )


def price_fields(priced: PricedUsage) -> dict[str, Any]:
    """The fields of an event that depend on its price."""
    fields = priced._asdict()
    fields["meter_costs"] = join_meters(dict(priced.meter_costs))
    fields["unpriced_parts"] = join_names(priced.unpriced_parts)
    return fields


def with_pictures(
    operation: str, usage: TokenUsage | None, meters: Mapping[str, int]
) -> Mapping[str, int]:
    """The meters of a request; output of image models is image tokens unless stated otherwise."""
    known = {"output_image_tokens", "output_images"}
    if operation != "image_generation" or usage is None or known & meters.keys():
        return meters
    return {**meters, "output_image_tokens": usage.output_tokens}


def _at_book(book: PriceBook, billed: Billed) -> PricedUsage:
    """The book's price of the requested model, or of the one that answered.

    Deployments, routers and names such as `-latest` have no price of their own, and a provider
    bills the model that answered. An override for the requested name wins.
    """

    def price(mapping: str) -> PricedUsage:
        return book.price(
            provider=billed.provider,
            mapping=mapping,
            at_us=billed.at_us,
            usage=billed.usage or _NOTHING,
            meters=billed.meters,
            context=billed.context or None,
            is_sum=billed.operation == BATCH,
        )

    asked = price(billed.mapping)
    if not billed.response_model:
        return asked
    answering = f"{billed.provider}/{billed.response_model}"
    if book.is_same_model(billed.mapping, answering):
        return asked
    context = billed.context or None
    if book.find(billed.provider, billed.mapping, billed.at_us, context).is_named:
        return asked
    answered = price(answering)
    return asked if answered.cost_source is CostSource.UNPRICED else answered


def _is_billed_otherwise(billed: Billed) -> bool:
    """Whether a request without token counts was billed for something else."""
    return billed.status == Status.OK and billed.operation in NOT_BY_TOKENS
