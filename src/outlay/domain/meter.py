"""Meters: billed quantities other than the six token counts.

Names and meanings follow the units of genai-prices, so that each meter has its price in the list.
Times are in milliseconds where the list has seconds, because quantities are whole numbers.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from outlay.domain.errors import Invalid
from outlay.domain.usage import TokenUsage

MAX_QUANTITY: Final = 10**12
"""A larger quantity in one request is a counter error, not usage."""


class MeterUnit(StrEnum):
    """The unit of a meter."""

    TOKENS = "tokens"
    CALLS = "calls"
    MILLISECONDS = "ms"
    CHARACTERS = "characters"
    PIXELS = "pixels"
    PAGES = "pages"
    IMAGES = "images"
    MESSAGES = "messages"

    @property
    def priced_per(self) -> int:
        """How many units one price covers, as in price lists."""
        return _PRICED_PER[self]


_PRICED_PER: Final = {
    MeterUnit.TOKENS: 1_000_000,
    MeterUnit.CALLS: 1_000,
    MeterUnit.MILLISECONDS: 3_600_000,
    MeterUnit.CHARACTERS: 1_000_000,
    MeterUnit.PIXELS: 1_000_000_000,
    MeterUnit.PAGES: 1_000,
    MeterUnit.IMAGES: 1,
    MeterUnit.MESSAGES: 1_000,
}


@dataclass(frozen=True, slots=True)
class Meter:
    """A kind of billed quantity."""

    name: str
    title: str
    unit: MeterUnit
    within: str = ""
    """The token count that it is a part of; empty for a meter that is not a token count."""
    cached: str = ""
    """The meter that counts its cached part."""
    costs_as_whole: bool = False
    """Whether it costs as much as the rest of its token count if the list has no price for it:
    providers bill such tokens at the text rate.
    """
    instead: str = ""
    """The wider meter that includes it, whose price applies if it has none of its own."""


METERS: Final[Mapping[str, Meter]] = {
    meter.name: meter
    for meter in (
        Meter(
            "cache_audio_read_tokens",
            "Audio read from the cache",
            MeterUnit.TOKENS,
            "cache_read_input_tokens",
        ),
        Meter(
            "cache_image_read_tokens",
            "Images read from the cache",
            MeterUnit.TOKENS,
            "cache_read_input_tokens",
            costs_as_whole=True,
        ),
        Meter(
            "cache_video_read_tokens",
            "Video read from the cache",
            MeterUnit.TOKENS,
            "cache_read_input_tokens",
            costs_as_whole=True,
        ),
        Meter(
            "input_audio_tokens",
            "Audio input",
            MeterUnit.TOKENS,
            "input_tokens",
            cached="cache_audio_read_tokens",
        ),
        Meter(
            "input_image_tokens",
            "Image input",
            MeterUnit.TOKENS,
            "input_tokens",
            cached="cache_image_read_tokens",
            costs_as_whole=True,
        ),
        Meter(
            "input_video_tokens",
            "Video input",
            MeterUnit.TOKENS,
            "input_tokens",
            cached="cache_video_read_tokens",
            costs_as_whole=True,
        ),
        Meter(
            "input_tool_tokens",
            "Input of tools",
            MeterUnit.TOKENS,
            "input_tokens",
            costs_as_whole=True,
        ),
        Meter("output_audio_tokens", "Audio output", MeterUnit.TOKENS, "output_tokens"),
        Meter("output_image_tokens", "Image output", MeterUnit.TOKENS, "output_tokens"),
        Meter("output_video_tokens", "Video output", MeterUnit.TOKENS, "output_tokens"),
        Meter("output_citation_tokens", "Citations", MeterUnit.TOKENS, "output_tokens"),
        Meter("web_searches", "Web searches", MeterUnit.CALLS),
        Meter("social_searches", "Social searches", MeterUnit.CALLS),
        Meter("storage_searches", "File searches", MeterUnit.CALLS),
        Meter("code_executions", "Code executions", MeterUnit.CALLS),
        Meter("code_sessions", "Code sessions", MeterUnit.CALLS),
        Meter("rerank_searches", "Search units", MeterUnit.CALLS),
        Meter("audio_milliseconds", "Audio", MeterUnit.MILLISECONDS),
        Meter(
            "input_audio_milliseconds",
            "Audio input by time",
            MeterUnit.MILLISECONDS,
            instead="audio_milliseconds",
        ),
        Meter(
            "output_audio_milliseconds",
            "Audio output by time",
            MeterUnit.MILLISECONDS,
            instead="audio_milliseconds",
        ),
        Meter("output_video_milliseconds", "Video output by time", MeterUnit.MILLISECONDS),
        Meter("input_characters", "Characters", MeterUnit.CHARACTERS),
        Meter("input_pixels", "Pixels", MeterUnit.PIXELS),
        Meter("input_document_pages", "Pages", MeterUnit.PAGES),
        Meter(
            "input_annotated_document_pages",
            "Annotated pages",
            MeterUnit.PAGES,
            instead="input_document_pages",
        ),
        Meter("input_text_messages", "Messages", MeterUnit.MESSAGES),
        Meter("output_images", "Images", MeterUnit.IMAGES),
    )
}
"""The catalogue, in display order: cached parts before their wholes."""


PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    whole: tuple(meter.name for meter in METERS.values() if meter.instead == whole)
    for whole in {meter.instead for meter in METERS.values() if meter.instead}
}
"""The narrower meters of a wider one."""


def check_meters(meters: Mapping[str, int]) -> Mapping[str, int]:
    """`meters` itself; raises Invalid naming the first unknown or out-of-range meter."""
    for name, quantity in meters.items():
        if name not in METERS:
            raise Invalid(
                f"There is no meter {name!r}. Available: {', '.join(METERS)}.",
                field=f"meters.{name}",
            )
        if type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
            raise Invalid(
                f"{name!r} must be a whole number between 0 and {MAX_QUANTITY:,}, not "
                f"{quantity!r}.",
                field=f"meters.{name}",
            )
    return meters


def settle_meters(usage: TokenUsage, meters: Mapping[str, int]) -> tuple[dict[str, int], bool]:
    """Resolve contradictions by clamping parts to their whole; also returns whether there were any.

    `usage` is settled already. Zeros are left out.
    """
    if not meters:
        return {}, False
    room = {
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "input_tokens": usage.input_tokens
        - usage.cache_read_input_tokens
        - usage.cache_write_input_tokens,
        "output_tokens": usage.output_tokens - usage.reasoning_output_tokens,
    }
    given = {name: quantity for name, quantity in meters.items() if quantity}
    settled = dict(given)
    for meter in METERS.values():
        if meter.within and meter.name in given:
            cached = settled.get(meter.cached, 0)
            own = min(max(0, given[meter.name] - cached), room[meter.within])
            room[meter.within] -= own
            settled[meter.name] = own + cached
    for whole, parts in PARTS.items():
        if whole in given:
            settled[whole] = max(given[whole], sum(given.get(part, 0) for part in parts))
    settled = {name: quantity for name, quantity in settled.items() if quantity}
    return settled, settled != given


def join_meters(quantities: Mapping[str, int]) -> str:
    """The stored form of quantities by meter: `name=quantity`, sorted, comma-separated, without
    zeros."""
    if not quantities:
        return ""
    return ",".join(f"{name}={quantities[name]}" for name in sorted(quantities) if quantities[name])


def split_meters(text: str) -> dict[str, int]:
    """The quantities by meter of the stored form."""
    pairs = (part.partition("=") for part in text.split(",")) if text else ()
    return {name: int(quantity) for name, _, quantity in pairs}


def join_names(names: Collection[str]) -> str:
    """The stored form of a set of names: sorted, unique, comma-separated; empty for no names."""
    return ",".join(sorted(set(names))) if names else ""


def split_disjoint(text: str) -> dict[str, int]:
    """The quantities in the stored form, each without the parts that other meters count."""
    meters = split_meters(text)
    own = dict(meters)
    for name in meters:
        known = METERS.get(name)
        if known is not None:
            parts = (known.cached, *PARTS.get(name, ()))
            own[name] -= sum(meters.get(part, 0) for part in parts)
    return own
