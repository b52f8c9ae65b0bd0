"""Rows of CSV, JSONL, JSON and Parquet files, one at a time, plain or gzip."""

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid

MAX_JSON: Final = 512 * 1024 * 1024
"""Maximum size of a JSON document in bytes, because it is read as a whole; the other formats have
no limit."""
FETCH: Final = 2_000

csv.field_size_limit(16 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row, or the reason why there is none."""

    number: int
    """Line in the file; for JSON and Parquet the index of the row, from 1."""
    values: Mapping[str, Any] | None
    """None if the line is malformed."""
    fault: str
    text: str
    """The malformed line."""
    done: int
    """How much of the file has been read."""
    total: int
    """The total, in the same unit: bytes, or rows of Parquet."""


def read_rows(path: Path, records: Sequence[str] = ()) -> Iterator[FileRow]:
    """The rows of a file, whose format is detected by its name or its first bytes.

    `records` are the nested lists that hold the rows of a JSON document. Raises Invalid if the file
    cannot be read at all.
    """
    with _opened(path) as (raw, content):
        kind = _kind(path, content)
        if kind == "parquet":
            yield from _parquet_rows(path)
            return
        if kind == "json":
            yield from _json_rows(path, content, records)
            return
        size = path.stat().st_size
        lines = TextIOWrapper(content, encoding="utf-8-sig", newline="")
        try:
            rows = _csv_rows(lines) if kind == "csv" else _jsonl_rows(lines, records)
            for number, values, fault, text in rows:
                yield FileRow(number, values, fault, text, raw.tell(), size)
        except UnicodeDecodeError as error:
            raise Invalid(f"{path} is not UTF-8 text.", code=ErrorCode.MALFORMED_FILE) from error
        except (EOFError, gzip.BadGzipFile) as error:
            raise Invalid(
                f"{path} is truncated gzip: {error}.", code=ErrorCode.MALFORMED_FILE
            ) from error
        except csv.Error as error:
            raise Invalid(
                f"{path} cannot be read: {error}.", code=ErrorCode.MALFORMED_FILE
            ) from error


Content = BufferedReader | gzip.GzipFile
_Found = tuple[int, Mapping[str, Any] | None, str, str]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BufferedReader, Content]]:
    """The raw file and its decompressed content."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror}.", code=ErrorCode.UNREADABLE_FILE
        ) from error
    with raw:
        if raw.peek(2)[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=raw) as content:
                yield raw, content
        else:
            yield raw, raw


def _kind(path: Path, content: Content) -> str:
    name = path.name.lower().removesuffix(".gz")
    start = content.peek(4096)[:4096]
    if start[:4] == b"PAR1" or name.endswith(".parquet"):
        return "parquet"
    if name.endswith((".jsonl", ".ndjson")):
        return "jsonl"
    if name.endswith((".csv", ".tsv")):
        return "csv"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"["):
        return "json"
    if not text.startswith(b"{"):
        return "csv"
    try:
        msgspec.json.decode(text.partition(b"\n")[0])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "json"  # an object over several lines
    return "json" if name.endswith(".json") else "jsonl"


def _csv_rows(lines: TextIOWrapper) -> Iterator[_Found]:
    header_line = lines.readline()
    if not header_line.strip():
        raise Invalid("The file is empty. It must begin with the column names.")
    separator = max(",;\t", key=header_line.count)
    header = next(csv.reader([header_line], delimiter=separator))
    names = [name.strip() for name in header]
    width = len(names)
    reader = csv.reader(lines, delimiter=separator)
    for cells in reader:
        number = reader.line_num + 1
        if len(cells) == width:
            yield number, dict(zip(names, cells, strict=True)), "", ""
        elif cells:
            fault = f"The row has {len(cells)} columns, not {width}."
            yield number, None, fault, separator.join(cells)


def _jsonl_rows(lines: TextIOWrapper, records: Sequence[str]) -> Iterator[_Found]:
    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            yield number, None, f"The line is not valid JSON: {error}.", line.rstrip("\r\n")
            continue
        for row in _unfolded(values, records) if isinstance(values, dict) else (values,):
            if isinstance(row, dict):
                yield number, row, "", ""
            else:
                yield number, None, "The row is not a JSON object.", line.rstrip("\r\n")


def _json_rows(path: Path, content: Content, records: Sequence[str]) -> Iterator[FileRow]:
    text = content.read(MAX_JSON + 1)
    if len(text) > MAX_JSON:
        raise Invalid(
            f"{path} is too large for one JSON document. Use newline-delimited JSON (JSONL).",
            code=ErrorCode.MALFORMED_FILE,
        )
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(
            f"{path} is not valid JSON: {error}.", code=ErrorCode.MALFORMED_FILE
        ) from error
    rows = list(_unfolded(document, records))
    for number, values in enumerate(rows, 1):
        if isinstance(values, dict):
            yield FileRow(number, values, "", "", number, len(rows))
        else:
            shown = msgspec.json.encode(values).decode()
            yield FileRow(number, None, "The row is not a JSON object.", shown, number, len(rows))


def _unfolded(document: Any, records: Sequence[str]) -> Iterator[Any]:
    """The rows within nested lists, each with the fields around it; pages may be in a list
    themselves.
    """
    if isinstance(document, list):
        for part in document:
            yield from _unfolded(part, records)
    elif isinstance(document, dict) and records and isinstance(document.get(records[0]), list):
        around = {name: value for name, value in document.items() if name != records[0]}
        for part in document[records[0]]:
            inside = {**around, **part} if isinstance(part, dict) else part
            yield from _unfolded(inside, records[1:])
    elif not (isinstance(document, dict) and records and _is_page(document)):
        yield document


def _is_page(document: Mapping[str, Any]) -> bool:
    """Whether an object is the envelope of a page without rows, rather than a row."""
    return document.get("object") in {"page", "bucket"} or "has_more" in document


def _parquet_rows(path: Path) -> Iterator[FileRow]:
    with duckdb.connect() as connection:
        try:
            count = connection.execute(
                "SELECT count(*) FROM read_parquet(?)", [str(path)]
            ).fetchone()
            found = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        except duckdb.Error as error:
            raise Invalid(
                f"{path} cannot be read: {error}.", code=ErrorCode.MALFORMED_FILE
            ) from error
        names = [column[0] for column in found.description or ()]
        total = int(count[0]) if count else 0
        number = 0
        while rows := found.fetchmany(FETCH):
            for row in rows:
                number += 1
                yield FileRow(number, dict(zip(names, row, strict=True)), "", "", number, total)
