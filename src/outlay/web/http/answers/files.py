"""Tables as JSON files."""

from typing import Any

from msgspec import UNSET, UnsetType

from outlay.web.http.answers.base import Answer
from outlay.web.http.answers.periods import Meta


class Trailer(Answer):
    """The end of a file: sums of its rows, the totals of the period, and a digest.

    `sha256` is over the rows as lines of JSON with amounts as numbers, in any format.
    """

    row_count: int
    row_totals: dict[str, Any]
    totals: dict[str, Any]
    groups_overlap: bool
    sha256: str
    overlap: dict[str, Any] | UnsetType = UNSET


class TableFile(Answer, kw_only=True):
    """A table with one object per row, its fields named after the columns."""

    group_by: list[str] | UnsetType = UNSET
    meta: Meta
    rows: list[dict[str, Any]]
    trailer: Trailer | UnsetType = UNSET
