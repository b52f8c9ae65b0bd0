"""Reconciliation of a provider's bill with the recorded usage, line by line, with reasons for
differences.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from outlay.domain.errors import Invalid
from outlay.domain.ids import OrganizationId

MAX_RATE: Final = 1_000_000


class Reason(StrEnum):
    """Why a line of a bill differs from the recorded usage."""

    CREDIT = "credit"
    """Negative lines of the bill: credits and refunds, which belong to no request."""
    PRICE = "price change"
    """From some day on, both differ by the same factor: a different price applies."""
    PARTLY_PRICED = "partly priced"
    """A part of the requests' usage has no price and is counted at zero."""
    UNPRICED = "unpriced"
    """Requests without a price are counted at zero."""
    UNKNOWN_USAGE = "unknown usage"
    """No token counts were reported for the requests."""
    ESTIMATED = "estimated"
    """Tokens were estimated."""
    MISSING_HOURS = "missing hours"
    """Nothing was recorded in hours that have requests on other days."""
    NOT_RECORDED = "not recorded"
    """Only the bill has this model: its requests did not pass through Outlay."""
    TOOL = "no usage of a model"
    """A bill line without a model: tools billed per call, storage, taxes, fees."""
    BILLED_AS_TOOLS = "billed as tools"
    """Usage that is recorded with a model but billed on a separate line."""
    NOT_BILLED = "not billed"
    """Only the recorded usage has it."""
    ROUNDING = "rounding"
    """Within the tolerance."""
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonPart:
    """The share of a difference that one reason explains."""

    reason: Reason
    amount_pusd: int
    detail: str = ""

    @property
    def text(self) -> str:
        """The reason with its details."""
        return f"{self.reason.value}: {self.detail}" if self.detail else self.reason.value


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """What a provider charges for one day, project and model."""

    day: date
    """In the time zone of the bill."""
    project: str
    """Empty if the bill is not split by project."""
    model: str
    """Canonical; empty if the bill is not split by model."""
    cost_pusd: int
    credit_pusd: int = 0
    """The part of it that is credits: zero or negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledLine:
    """One day, project and model, as billed and as recorded."""

    day: date
    project: str
    project_name: str
    model: str
    recorded_pusd: int
    billed_pusd: int
    requests: int
    reasons: Sequence[str] = ()
    """`Reason`s, each with its details after a colon; empty if the line matches."""
    parts: Sequence[ReasonPart] = ()
    """What each reason explains; the parts add up to the difference."""

    @property
    def difference_pusd(self) -> int:
        """The billed amount minus the recorded one."""
        return self.billed_pusd - self.recorded_pusd


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The stored result of comparing a bill."""

    reconciliation_id: str
    organization_id: OrganizationId
    provider: str
    file_name: str
    created_at_us: int
    from_date: date
    to_date: date
    tolerance_pusd: int
    lines: Sequence[ReconciledLine]
    """By day, project and model."""
    notes: Sequence[str]
    """Remarks for readers."""
    timezone: str = "UTC"
    """The time zone of the bill's days."""
    digest: str = ""
    """SHA-256 of the file."""

    @property
    def recorded_pusd(self) -> int:
        """The total of the recorded usage."""
        return sum(line.recorded_pusd for line in self.lines)

    @property
    def billed_pusd(self) -> int:
        """The total of the bill."""
        return sum(line.billed_pusd for line in self.lines)

    @property
    def by_reason(self) -> dict[Reason, int]:
        """What each reason explains of the total difference, in the order of the reasons."""
        sums: dict[Reason, int] = {}
        for line in self.lines:
            for part in line.parts:
                sums[part.reason] = sums.get(part.reason, 0) + part.amount_pusd
        return {reason: sums[reason] for reason in Reason if reason in sums}

    def lines_with(self, reason: Reason) -> int:
        """The number of lines with a reason."""
        return sum(any(part.reason is reason for part in line.parts) for line in self.lines)

    @property
    def explained_pusd(self) -> int:
        """The explained part; with `unexplained_pusd` it is the total difference."""
        reasons = self.by_reason
        return sum(reasons.values()) - reasons.get(Reason.UNEXPLAINED, 0)

    @property
    def unexplained_pusd(self) -> int:
        """The part without a reason."""
        return self.billed_pusd - self.recorded_pusd - self.explained_pusd

    @property
    def differing(self) -> int:
        """Lines that differ by more than the tolerance."""
        return sum(bool(line.reasons) for line in self.lines)


def parse_rate(currency: str, rate: str) -> Decimal:
    """USD for one unit of a currency; Invalid if the rate or the currency is not valid."""
    try:
        value = Decimal(rate.strip())
    except InvalidOperation:
        value = Decimal(0)
    if not re.fullmatch("[A-Za-z]{3}", currency.strip()) or not 0 < value < MAX_RATE:
        raise Invalid(
            "A rate must be a currency and its value in USD, such as EUR=1.08, not "
            f"{currency}={rate}.",
            field="rates",
        )
    return value
