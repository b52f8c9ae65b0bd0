"""The cost of a request in detail, for display."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from outlay.domain.event import CostSource, UsageEvent
from outlay.domain.meter import METERS, MeterUnit, split_meters
from outlay.pricing.evidence import Evidence, computed_cost_of
from outlay.pricing.lines import KINDS, PriceLine
from outlay.web.dashboard.formatting import format_exact_count, format_exact_money
from outlay.web.dashboard.parts.log_lines import describe_parts

NO_PRICE: Final = "no price"
_PER: Final = {1_000: "thousand", 1_000_000: "million", 1_000_000_000: "billion", 3_600_000: "hour"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One kind of usage and its cost."""

    kind: str
    formula: str
    """How the amount is computed: `1,003 tokens × $5.00 per million`."""
    amount: str
    is_missing: bool = False
    """Whether it has no price, so that the sum lacks it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedCost:
    """One of the two costs of a request."""

    name: str
    amount: str
    is_counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CostDetail:
    """The lines of a request's computed cost, with remarks."""

    lines: Sequence[CostLine]
    total: str
    """The sum of the lines."""
    compared: Sequence[ComparedCost]
    """The computed and the reported cost, if both are known."""
    notes: Sequence[str]


def cost_detail_of(event: UsageEvent, evidence: Evidence) -> CostDetail:
    """The lines of a request's computed cost; the request has known usage."""
    computed = computed_cost_of(event)
    lines = [_explained(line) for line in evidence.lines] or list(_recorded(event))
    return CostDetail(
        lines=[*lines, *_missing(event)] if computed is not None else list(_counted(event)),
        total="" if computed is None else format_exact_money(computed),
        compared=_compared(event, computed),
        notes=[note for note in (_price_note(event), evidence.note) if note],
    )


def _explained(line: PriceLine) -> CostLine:
    each = _PER.get(line.per, f"{line.per:,}") if line.per > 1 else _one(line.unit)
    return CostLine(
        kind=line.title,
        formula=f"{_counted_in(line.quantity, line.unit)} × "
        f"{format_exact_money(line.rate_pusd)} per {each}",
        amount=format_exact_money(line.amount_pusd),
    )


def _recorded(event: UsageEvent) -> Iterator[CostLine]:
    """The recorded parts, if their price is no longer known."""
    if event.cost_source is CostSource.REPORTED:
        yield from _counted(event)
        return
    uncached = event.input_tokens - event.cache_read_input_tokens - event.cache_write_input_tokens
    for kind, tokens, pusd in (
        ("input", uncached, event.input_cost_pusd),
        ("cache_read", event.cache_read_input_tokens, event.cache_read_cost_pusd),
        ("cache_write", event.cache_write_input_tokens, event.cache_write_cost_pusd),
        ("output", event.output_tokens, event.output_cost_pusd),
    ):
        if tokens or pusd:
            yield _line(KINDS[kind], _counted_in(tokens, "tokens"), pusd)
    meters = split_meters(event.meters)
    for name, pusd in split_meters(event.meter_costs).items():
        yield _line(METERS[name].title, _quantity(name, meters.get(name, 0)), pusd)


def _counted(event: UsageEvent) -> Iterator[CostLine]:
    """The counted usage, if no cost is known."""
    for title, tokens in (
        (KINDS["input"], event.input_tokens),
        (KINDS["output"], event.output_tokens),
    ):
        if tokens:
            yield CostLine(kind=title, formula=_counted_in(tokens, "tokens"), amount="–")
    for name, quantity in split_meters(event.meters).items():
        yield CostLine(kind=METERS[name].title, formula=_quantity(name, quantity), amount="–")


def _line(kind: str, formula: str, pusd: int) -> CostLine:
    return CostLine(kind=kind, formula=formula, amount=format_exact_money(pusd))


def _quantity(meter: str, quantity: int) -> str:
    return _counted_in(quantity, METERS[meter].unit.value)


def _counted_in(quantity: int, unit: str) -> str:
    return f"{format_exact_count(quantity)} {_one(unit) if quantity == 1 else unit}"


def _one(unit: str) -> str:
    return unit if unit == MeterUnit.MILLISECONDS else unit.removesuffix("s")


def _missing(event: UsageEvent) -> Iterator[CostLine]:
    """Usage without a price."""
    meters = split_meters(event.meters)
    tokens = {"input_tokens": event.input_tokens, "output_tokens": event.output_tokens}
    for part in event.unpriced_parts.split(",") if event.unpriced_parts else ():
        if part in METERS:
            kind, formula = METERS[part].title, _quantity(part, meters.get(part, 0))
        elif part in tokens:
            kind = KINDS[part.removesuffix("_tokens")]
            formula = _counted_in(tokens[part], "tokens")
        elif "=" in part:
            kind, formula = part, "not in the price list; the lines above use the standard price"
        else:
            kind, formula = part, "a provider counter that Outlay does not know"
        yield CostLine(kind=kind, formula=formula, amount=NO_PRICE, is_missing=True)


def _compared(event: UsageEvent, computed: int | None) -> list[ComparedCost]:
    if event.reported_cost_pusd is None or computed is None:
        return []
    is_reported = event.cost_source is CostSource.REPORTED
    return [
        ComparedCost(
            name="Computed", amount=format_exact_money(computed), is_counted=not is_reported
        ),
        ComparedCost(
            name="Reported",
            amount=format_exact_money(event.reported_cost_pusd),
            is_counted=is_reported,
        ),
    ]


def _price_note(event: UsageEvent) -> str:
    if event.cost_source is CostSource.REPORTED:
        if event.computed_cost_pusd is None:
            return "Reported by the sender. The price book has no price for this model."
        if event.unpriced_parts:
            parts = describe_parts(event)
            return f"Reported by the sender. The price book has no price for {parts}."
        return "Reported by the sender. This provider states what it charges."
    if event.cost_source is CostSource.UNPRICED:
        return "No price is known for this model. The request is counted without a cost."
    if event.cost_source is CostSource.PARTIAL:
        return (
            f"Priced at {event.price_ref}, excluding {describe_parts(event)}, for which the price "
            "book has no price. The actual cost was higher."
        )
    return f"Priced at {event.price_ref}." if event.price_ref else ""
