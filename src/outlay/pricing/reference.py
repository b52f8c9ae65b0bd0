"""What a price is called on record, `price_ref` of an event: it pins what its rates are found by.

    genai-prices:0.2.3/openai/gpt-5.5?from=2026-04-24&service_tier=flex&above=272000
    override:2?above=272000
    prc_01…*genai-prices:0.2.3/openai/gpt-5.5+override:3:EUR@1.0842

That is the list and its version, the provider, the model of its list, and after the question mark:
since when the price holds (`from`, UTC; without it, always), the list of another provider that it
is from (`list`), our own data that took part in it (`own`, a digest), each part of the context that
selected a variant, and the tier (`above` so many input tokens). A share of a list price names both,
the share first; prices of meters that are laid over it follow after a plus, each with the exchange
rate that it was converted at. Earlier versions of Outlay wrote the part before the question mark
alone.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote

LIST: Final = "genai-prices"

RESERVED: Final = ("from", "list", "own", "above")
"""Names of what is no context."""

MAX_REF: Final = 256


class PriceRef(NamedTuple):
    """A price, taken apart."""

    own: tuple[str, ...]
    """`override:2`, `prc_…`: the prices of one's own, those of meters alone last."""
    version: str
    """Of the list; empty for a price of one's own."""
    provider: str
    model: str
    maker: str
    """Whose list the model stands in, where it is not the provider's."""
    context: Mapping[str, str] | None
    """What selected a variant; None where it is not on record."""
    above: int
    """The tier's start, in input tokens; 0 for none."""


def join_ref(name: str, pins: Mapping[str, str]) -> str:
    """A reference with what it pins."""
    joined = "&".join(f"{quote(key)}={quote(value, safe='/:')}" for key, value in pins.items())
    return f"{name}?{joined}" if joined else name


def with_tier(ref: str, above: int) -> str:
    """The reference of a tier of a price."""
    head, plus, added = ref.partition("+")
    return f"{head}{'&' if '?' in head else '?'}above={above}{plus}{added}"


def parse_ref(ref: str) -> PriceRef:
    """A reference of this or an earlier version of Outlay, taken apart."""
    head, *added = ref.split("+")
    share, _, rest = head.rpartition("*")
    name, mark, query = rest.partition("?")
    pins = dict(parse_qsl(query, keep_blank_values=True))
    above = pins.get("above", "")
    version = provider = model = ""
    if name.startswith(f"{LIST}:"):
        version, _, route = name.removeprefix(f"{LIST}:").partition("/")
        provider, _, model = route.partition("/")
    else:
        share = name
    return PriceRef(
        own=tuple(filter(None, (share, *added))),
        version=version,
        provider=provider,
        model=model,
        maker=pins.get("list", ""),
        context={key: value for key, value in pins.items() if key not in RESERVED}
        if mark
        else None,
        above=int(above) if above.isdecimal() else 0,
    )
