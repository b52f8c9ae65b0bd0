"""The Azure LLM inference traces: `TIMESTAMP,ContextTokens,GeneratedTokens` as CSV.

Source: Azure Public Dataset, "Azure LLM inference trace 2023" (CC-BY 4.0), described in Patel et
al., "Splitwise: Efficient Generative LLM Inference Using Phase Splitting", ISCA 2024. Timestamps
have no zone and are read as UTC; they carry 100 ns, of which the last digit is dropped.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from outlay.domain.errors import Invalid
from outlay.domain.usage import MAX_TOKENS
from outlay.kit.clock import MICROSECONDS, to_us

HEADER: Final = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")

_TIMESTAMP: Final = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})(?:\.(\d{1,7}))?")
_COUNT: Final = re.compile(r"[0-9]{1,10}")


class TraceRow(NamedTuple):
    """One request of a trace."""

    line: int
    """Line number in the file, from 1."""
    time_us: int
    input_tokens: int
    output_tokens: int


def parse_trace(lines: Iterable[str]) -> Iterator[TraceRow]:
    """Rows of a trace file; Invalid names the line, the column and what was expected there."""
    numbered = enumerate(lines, 1)
    _, header = next(numbered, (1, ""))
    if tuple(header.rstrip("\r\n").removeprefix("\ufeff").split(",")) != HEADER:
        raise Invalid(
            f"line 1: expected the header {','.join(HEADER)}, found {_shown(header)}",
            code="malformed-file",
        )
    for number, line in numbered:
        yield _row(number, line.rstrip("\r\n"))


def _row(number: int, line: str) -> TraceRow:
    cells = line.split(",")
    if len(cells) != len(HEADER):
        raise Invalid(
            f"line {number}: expected {len(HEADER)} columns, found {len(cells)}: {_shown(line)}",
            code="malformed-file",
        )
    return TraceRow(
        number,
        _time_us(number, cells[0]),
        _count(number, HEADER[1], cells[1]),
        _count(number, HEADER[2], cells[2]),
    )


def _time_us(number: int, text: str) -> int:
    match = _TIMESTAMP.fullmatch(text)
    whole = _instant(match[1]) if match else None
    if match is None or whole is None:
        raise Invalid(
            f"line {number}, column {HEADER[0]}: expected a time such as "
            f"2023-11-16 18:15:46.6805900, found {_shown(text)}",
            code="malformed-file",
        )
    fraction = (match[2] or "").ljust(7, "0")
    return to_us(whole) + int(fraction) * MICROSECONDS // 10**7


def _instant(text: str) -> datetime | None:
    """The UTC instant of `2023-11-16 18:15:46`, None for a date there never was."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _count(number: int, column: str, text: str) -> int:
    if _COUNT.fullmatch(text) is None or int(text) > MAX_TOKENS:
        raise Invalid(
            f"line {number}, column {column}: expected a whole number from 0 to "
            f"{MAX_TOKENS:,}, found {_shown(text)}",
            code="malformed-file",
        )
    return int(text)


def _shown(text: str) -> str:
    text = text.rstrip("\r\n")
    return repr(text if len(text) <= 60 else text[:57] + "...")
