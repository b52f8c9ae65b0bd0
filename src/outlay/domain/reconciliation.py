"""A provider's bill beside what was recorded: line by line, with why they differ."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from outlay.domain.errors import Invalid

MAX_RATE: Final = 1_000_000


class Reason(StrEnum):
    """Why a line of a bill differs from what was recorded."""

    UNPRICED = "unpriced"
    """Requests without a price are counted at nothing."""
    ESTIMATED = "estimated"
    """Tokens were estimated, or nobody counted them."""
    MISSING_HOURS = "missing hours"
    """Nothing was recorded in hours that have requests on other days."""
    PRICE = "price change"
    """Both differ by one factor from some day on: another price applies."""
    NOT_RECORDED = "not recorded"
    """Only the bill has it: it did not pass through here, or is no usage of a model."""
    NOT_BILLED = "not billed"
    """Only the records have it."""
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """What a provider charges for a day, project and model."""

    day: date
    """UTC."""
    project: str
    """Empty where the bill does not tell projects apart."""
    model: str
    """Canonical; empty where the bill does not tell models apart."""
    cost_pusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledLine:
    """One day, project and model in both."""

    day: date
    project: str
    project_name: str
    model: str
    recorded_pusd: int
    billed_pusd: int
    requests: int
    reasons: Sequence[str] = ()
    """`Reason`s, each with its particulars after a colon; empty for a line that agrees."""

    @property
    def difference_pusd(self) -> int:
        """What the bill has more."""
        return self.billed_pusd - self.recorded_pusd


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """A bill that was compared, and when."""

    reconciliation_id: str
    organization_id: str
    provider: str
    file_name: str
    created_at_us: int
    from_date: date
    to_date: date
    tolerance_pusd: int
    lines: Sequence[ReconciledLine]
    """By day, project and model."""
    notes: Sequence[str]
    """What has to be known to read it."""

    @property
    def recorded_pusd(self) -> int:
        """Everything that was recorded."""
        return sum(line.recorded_pusd for line in self.lines)

    @property
    def billed_pusd(self) -> int:
        """Everything that is on the bill."""
        return sum(line.billed_pusd for line in self.lines)

    @property
    def differing(self) -> int:
        """Lines that differ by more than the tolerance."""
        return sum(bool(line.reasons) for line in self.lines)


def parse_rate(currency: str, rate: str) -> Decimal:
    """USD for one unit of a currency; Invalid for what is no rate, or no currency."""
    try:
        value = Decimal(rate.strip())
    except InvalidOperation:
        value = Decimal(0)
    if not re.fullmatch("[A-Za-z]{3}", currency.strip()) or not 0 < value < MAX_RATE:
        raise Invalid(
            f"a rate is a currency and the USD for one unit of it, such as EUR=1.08, not "
            f"{currency}={rate}",
            field="rates",
        )
    return value
