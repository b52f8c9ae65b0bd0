"""A provider's cost file → lines of a bill, with remarks on the file."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.money import render_usd
from outlay.domain.period import parse_zone
from outlay.domain.provider import find_provider
from outlay.domain.reconciliation import BillLine
from outlay.kit.clock import from_us
from outlay.services.recording.importing import FileImport, read_import
from outlay.wire.files.mapping import FileMapping, find_mapping
from outlay.wire.values import time_us_of

FORMATS: Final = {
    "openai": "openai-costs",
    "anthropic": "anthropic-costs",
    "openrouter": "openrouter-activity",
}
"""The cost format of each provider."""

MAX_LINES: Final = 50_000
ALL_MODELS: Final = "all models"
DEFAULT_TOLERANCE_PUSD: Final = 10**10
"""One cent."""
_FRAME: Final = frozenset({"has_more", "next_page", "object"})
"""Fields of a page, which every row of it repeats."""
_ENDS: Final = ("end_time", "end_time_iso", "ending_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class BillFile:
    """A provider's cost export."""

    provider: str
    content: str
    file_name: str
    mapping: str = ""
    """TOML with the column mapping, for a provider without a known format."""
    tolerance_pusd: int = DEFAULT_TOLERANCE_PUSD
    """Differences up to this amount are ignored."""
    timezone: str = "UTC"
    """The time zone of the bill's days."""
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    """USD for one unit of the currencies of its amounts."""

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.content.encode(errors="replace")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The costs in a provider's file."""

    provider: str
    lines: Sequence[BillLine]
    timezone: str = "UTC"
    project_names: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    """Remarks on the file."""


def read_bill(
    path: Path,
    file: BillFile,
    mapping: FileMapping | None,
    canonical: Callable[[str], str],
    now: datetime,
) -> Bill:
    """The lines of a cost file; raises Invalid if a row cannot be read, or it has no costs."""
    provider = find_provider(file.provider)
    return _Reading(file, provider, mapping or _mapping_of(provider), canonical, now).bill(path)


def _mapping_of(provider: str) -> FileMapping:
    if provider not in FORMATS:
        known = ", ".join(FORMATS)
        raise Invalid(
            f"There is no cost format for {provider!r} ({known} have one). Name the columns with "
            "`--mapping`.",
            field="provider",
        )
    return find_mapping(FORMATS[provider])


class _Reading:
    """The state of reading one file."""

    def __init__(
        self,
        file: BillFile,
        provider: str,
        mapping: FileMapping,
        canonical: Callable[[str], str],
        now: datetime,
    ) -> None:
        self._file = file
        self._provider = provider
        self._mapping = mapping
        self._canonical = canonical
        self._now = now
        self._zone = parse_zone(file.timezone)
        self._sums: dict[tuple[date, str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._names: dict[str, str] = {}
        self._seen: set[bytes] = set()
        # No two rows of this format are equal, unless one is repeated.
        self._are_distinguishable = bool(mapping.identity) or "event_id" in mapping.fields
        self._repeated, self._repeated_pusd = 0, 0
        self._times: set[time] = set()
        self._has_more = False
        self._end_us = 0

    def bill(self, path: Path) -> Bill:
        """Read a file completely."""
        job = FileImport(
            path=path,
            mapping=self._mapping,
            zone=self._zone,
            rates=self._file.rates,
            is_bill=True,
        )
        for row in read_import(job, self._now):
            if row.fault:
                raise Invalid(f"Row {row.number}: {row.fault}", code=ErrorCode.MALFORMED_FILE)
            is_repeated = self._look_at(row.content)
            for report in row.reports:
                cost = report.reported_cost_pusd
                if cost is None:
                    raise Invalid(f"Row {row.number} has no cost.", code=ErrorCode.MALFORMED_FILE)
                if is_repeated:
                    self._repeated_pusd += cost
                    if self._are_distinguishable:
                        continue
                moment = from_us(report.event_time_us).astimezone(self._zone)
                self._times.add(moment.time())
                model = report.mapping.partition("/")[2]
                canonical = "" if model == ALL_MODELS else self._canonical(report.mapping)
                sums = self._sums[moment.date(), report.project_id, canonical]
                sums[0] += cost
                sums[1] += min(0, cost)
                if len(self._sums) > MAX_LINES:
                    raise Invalid(
                        f"The bill has more than {MAX_LINES:,} lines. Split it into shorter "
                        "periods."
                    )
                self._names |= report.names
        if not self._sums:
            raise Invalid("The file contains no costs.", code=ErrorCode.EMPTY_FILE)
        return Bill(
            provider=self._provider,
            lines=[
                BillLine(day=day, project=project, model=model, cost_pusd=cost, credit_pusd=credit)
                for (day, project, model), (cost, credit) in sorted(self._sums.items())
            ],
            timezone=self._file.timezone,
            project_names=self._names,
            notes=self._notes(),
        )

    def _look_at(self, row: Any) -> bool:
        """Collect remarks from a row; returns whether it is a repetition."""
        if not isinstance(row, dict):
            return False
        self._has_more = row.get("has_more") is True
        for name in _ENDS:
            self._end_us = max(self._end_us, time_us_of(row.get(name)) or 0)
        says = {name: value for name, value in row.items() if name not in _FRAME}
        digest = hashlib.blake2b(msgspec.json.encode(says, enc_hook=str), digest_size=16).digest()
        is_repeated = digest in self._seen
        self._seen.add(digest)
        self._repeated += is_repeated
        return is_repeated

    def _notes(self) -> list[str]:
        notes = []
        for currency, rate in sorted(self._file.rates.items()):
            notes.append(f"Amounts in {currency} count at {rate:f} USD, the given rate.")
        if self._repeated:
            counted = "once" if self._are_distinguishable else "each time"
            notes.append(
                f"{self._repeated:,} rows of {render_usd(self._repeated_pusd)} USD stand in the "
                f"file more than once, as when a page was pasted twice; they count {counted}."
            )
        if self._has_more:
            notes.append(
                "The file is incomplete: its last page says that more follow. Fetch the next page "
                "too, and put both into one file."
            )
        [first, *others] = sorted(self._times)
        if not others and first != time(0):
            notes.append(
                f"All lines begin at {first:%H:%M} {self._file.timezone}: the bill's days are of "
                "another time zone. Say which with --timezone."
            )
        notes += self._notes_of_end()
        return notes

    def _notes_of_end(self) -> list[str]:
        """Remarks on the last day."""
        last = max(day for day, _, _ in self._sums)
        end = datetime.combine(last + timedelta(days=1), time(0), self._zone)
        if self._end_us:
            end = max(end, from_us(self._end_us))
        if end > self._now:
            return [f"The last day, {last}, was not over when the bill was compared."]
        return []
