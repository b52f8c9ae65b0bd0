"""Known differences, with who is right and why: `known.toml`."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from tools.price_check.quotes import Compared

PATH: Final = Path(__file__).with_name("known.toml")
WHO: Final = ("ours", "theirs", "disputed")


class BadList(Exception):
    """The list of known differences is malformed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Some differences with one reason."""

    number: int
    table: str
    provider: str
    model: str
    what: str
    right: str
    why: str
    at_most: Decimal | None = None
    """The tolerated difference, in percent of the other price."""

    def fits(self, found: Compared) -> bool:
        """Whether a difference is one of these; names are glob patterns."""
        quote = found.quote
        model = quote.mapping.partition("/")[2]
        is_near = self.at_most is None or (
            abs(found.cost - quote.cost) * 100 <= self.at_most * quote.cost
        )
        return is_near and all(
            any(fnmatchcase(value, name) for name in names.split("|"))
            for value, names in (
                (quote.table, self.table),
                (quote.provider, self.provider),
                (model, self.model),
                (quote.what, self.what),
            )
        )


def read_known(path: Path = PATH) -> list[Known]:
    """The entries of the list; raises BadList, naming the first invalid one."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["known"]
    return [_read(number, entry) for number, entry in enumerate(entries, 1)]


def _read(number: int, entry: dict[str, Any]) -> Known:
    percent = entry.pop("at_most_percent", None)
    try:
        known = Known(
            number=number,
            at_most=None if percent is None else Decimal(percent),
            **{"model": "*", "what": "*", **entry},
        )
    except TypeError as error:
        raise BadList(f"{PATH.name}, entry {number}: {error}") from error
    if known.right not in WHO or not known.why:
        raise BadList(f"{PATH.name}, entry {number}: say who is right ({', '.join(WHO)}) and why")
    return known


def reason_of(found: Compared, known: Sequence[Known]) -> Known | None:
    """The entry that a difference belongs to; the first one applies."""
    return next((entry for entry in known if entry.fits(found)), None)
