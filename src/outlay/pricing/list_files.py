"""Data files of genai-prices: `prices/new_data/v2/data.json` of its repository, and `data.json`.

A file is accepted completely or not at all: errors are reported before anything is replaced.
"""

import json
import re
import warnings
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from genai_prices.types import (
    ClauseAnd,
    ClauseOr,
    ClauseRegex,
    MatchLogic,
    ModelInfo,
    ModelPrice,
    Provider,
    TieredPrices,
    _providers_from_raw,
)
from pydantic import ValidationError

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.pricing.fields import MAX_PRICE
from outlay.pricing.reference import RESERVED
from outlay.pricing.seed import PriceList

MAX_BYTES: Final = 64 << 20
MAX_FAULTS: Final = 10
"""Maximum number of errors reported for one file."""
WANTED: Final = "Use the array of providers in prices/new_data/v2/data.json of genai-prices."

_ID: Final = re.compile(r"[\w./:@~ \[\]()-]{1,100}", re.ASCII)


def read_list(body: bytes, version: str) -> PriceList:
    """The list in a data file; raises one Invalid with all errors."""
    if len(body) > MAX_BYTES:
        raise _invalid(f"The file is larger than {MAX_BYTES >> 20} MB. {WANTED}")
    try:
        raw = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"The file is not valid JSON ({error}).") from error
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        raise _invalid(WANTED)
    try:
        with warnings.catch_warnings(action="ignore"):  # about its answer parsers' counters
            providers = _providers_from_raw(raw)
    except ValidationError as error:
        messages = [
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}."
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise _invalid(_listed(messages)) from error
    except (AssertionError, TypeError, ValueError, RecursionError) as error:
        raise _invalid(f"{error}. {WANTED}") from error
    if faults := list(_faults(providers)):
        raise _invalid(_listed(faults))
    return PriceList(version, providers)


def _invalid(why: str) -> Invalid:
    return Invalid(f"The price list cannot be used. {why}", code=ErrorCode.INVALID_PRICE_LIST)


def _listed(faults: list[str]) -> str:
    more = (
        f" {len(faults) - MAX_FAULTS:,} more errors are not shown."
        if len(faults) > MAX_FAULTS
        else ""
    )
    return f"{' '.join(faults[:MAX_FAULTS])}{more}"


def _faults(providers: list[Provider]) -> Iterator[str]:
    """Errors that the schema of a list allows."""
    if not any(provider.models for provider in providers):
        yield f"The list has no models. {WANTED}"
    seen: set[str] = set()
    for provider in providers:
        if provider.id in seen or not _ID.fullmatch(provider.id):
            yield f"Provider {provider.id!r} is duplicated or not a valid id."
        seen.add(provider.id)
        yield from _clause_faults(provider.id, provider.model_match)
        yield from _clause_faults(provider.id, provider.provider_match)
        for model in provider.models:
            name = f"{provider.id}/{model.id}"
            if not _ID.fullmatch(model.id):
                yield f"{name!r} is not a valid model id."
            yield from _clause_faults(name, model.match)
            yield from _model_faults(name, model)


def _model_faults(name: str, model: ModelInfo) -> Iterator[str]:
    conditional = model.prices if isinstance(model.prices, list) else None
    if conditional == []:
        yield f"{name} has no prices."
    variants = model.price_variants or []
    standard = [item.prices for item in conditional or []]
    for prices in (
        *([model.prices] if isinstance(model.prices, ModelPrice) else standard),
        *(variant.prices for variant in variants),
    ):
        yield from _price_faults(name, prices)
    for variant in variants:
        if reserved := variant.when.keys() & set(RESERVED):
            yield f"{name} uses the reserved context {', '.join(reserved)}."


def _price_faults(name: str, prices: ModelPrice) -> Iterator[str]:
    for key, value in prices.__dict__.items():
        rates = [value]
        if isinstance(value, TieredPrices):
            rates = [value.base, *(tier.price for tier in value.tiers)]
            starts = [tier.start for tier in value.tiers]
            if any(start <= 0 for start in starts) or len({*starts}) < len(starts):
                yield f"{name}, {key}: tiers must start at different sizes above 0."
        for rate in rates:
            if rate is not None and not (rate.is_finite() and 0 <= rate <= MAX_PRICE):
                yield f"{name}, {key}: {rate} is not a price between 0 and {MAX_PRICE:,} USD."


def _clause_faults(name: str, clause: MatchLogic | None) -> Iterator[str]:
    parts = clause.or_ if isinstance(clause, ClauseOr) else ()
    parts = clause.and_ if isinstance(clause, ClauseAnd) else parts
    for part in parts:
        yield from _clause_faults(name, part)
    if isinstance(clause, ClauseRegex):
        try:
            re.compile(clause.regex)
        except re.error as error:
            yield f"{name}: {clause.regex!r} is not a regular expression ({error})."
