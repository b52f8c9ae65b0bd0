"""Price references, the `price_ref` of events, from which the applied rates can be found again.

    genai-prices:0.2.3/openai/gpt-5.5?from=2026-04-24&service_tier=flex&above=272000
    override:2?above=272000
    prc_01…*genai-prices:0.2.3/openai/gpt-5.5+override:3:EUR@1.0842

A reference names the list and its version, the provider and the model in its list. Parameters:
since when the price holds (`from`, UTC; without it, always), the provider whose list it is from
(`list`), a digest of Outlay's own data that was used (`own`), the context that selected a variant,
and the tier (`above` this many input tokens). A percentage of a list price names both, the
percentage first. Added meter prices follow after a plus, each with the exchange rate at which it
was converted. Earlier versions of Outlay wrote only the part before the question mark.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote

LIST: Final = "genai-prices"

RESERVED: Final = ("from", "list", "own", "above")
"""Names that are not context keys."""


class PriceRef(NamedTuple):
    """A parsed price reference."""

    own: tuple[str, ...]
    """`override:2`, `prc_…`: the overrides, those of meters only last."""
    version: str
    """Of the list; empty for an override."""
    provider: str
    model: str
    maker: str
    """The provider whose list has the model, if it is another one."""
    context: Mapping[str, str] | None
    """What selected a variant; None if it is not recorded."""
    above: int
    """The start of the tier, in input tokens; 0 for none."""


def join_ref(name: str, pins: Mapping[str, str]) -> str:
    """A reference with its parameters."""
    joined = "&".join(f"{quote(key)}={quote(value, safe='/:')}" for key, value in pins.items())
    return f"{name}?{joined}" if joined else name


def with_tier(ref: str, above: int) -> str:
    """The reference of a tier of a price."""
    head, plus, added = ref.partition("+")
    return f"{head}{'&' if '?' in head else '?'}above={above}{plus}{added}"


def parse_ref(ref: str) -> PriceRef:
    """Parse a reference of this or an earlier version of Outlay."""
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
