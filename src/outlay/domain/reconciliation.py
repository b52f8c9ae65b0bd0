"""A provider's bill beside what was recorded: line by line, with why they differ."""

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
    """Why a line of a bill differs from what was recorded."""

    CREDIT = "credit"
    """Negative lines of the bill: credits and refunds, which no request has."""
    PRICE = "price change"
    """Both differ by one factor from some day on: another price applies."""
    PARTLY_PRICED = "partly priced"
    """A part of what requests used has no price and is counted at nothing."""
    UNPRICED = "unpriced"
    """Requests without a price are counted at nothing."""
    UNKNOWN_USAGE = "unknown usage"
    """Nobody counted what requests used."""
    ESTIMATED = "estimated"
    """Tokens were estimated."""
    MISSING_HOURS = "missing hours"
    """Nothing was recorded in hours that have requests on other days."""
    NOT_RECORDED = "not recorded"
    """Only the bill has this model: its requests did not pass through here."""
    TOOL = "no usage of a model"
    """A line of the bill that is of no model: tools by the call, storage, taxes, fees."""
    BILLED_AS_TOOLS = "billed as tools"
    """What the record has with a model, and the bill on a line of its own."""
    NOT_BILLED = "not billed"
    """Only the records have it."""
    ROUNDING = "rounding"
    """No more than the tolerance."""
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonPart:
    """What a reason makes of a difference."""

    reason: Reason
    amount_pusd: int
    detail: str = ""

    @property
    def text(self) -> str:
        """The reason with its particulars."""
        return f"{self.reason.value}: {self.detail}" if self.detail else self.reason.value


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """What a provider charges for a day, project and model."""

    day: date
    """In the zone of the bill."""
    project: str
    """Empty where the bill does not tell projects apart."""
    model: str
    """Canonical; empty where the bill does not tell models apart."""
    cost_pusd: int
    credit_pusd: int = 0
    """The part of it that is credits: zero or negative."""


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
    parts: Sequence[ReasonPart] = ()
    """What each reason makes of the difference; they add up to it."""

    @property
    def difference_pusd(self) -> int:
        """What the bill has more."""
        return self.billed_pusd - self.recorded_pusd


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """A bill that was compared, and when."""

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
    """What has to be known to read it."""
    timezone: str = "UTC"
    """Whose days the bill's are."""
    digest: str = ""
    """SHA-256 of the file."""

    @property
    def recorded_pusd(self) -> int:
        """Everything that was recorded."""
        return sum(line.recorded_pusd for line in self.lines)

    @property
    def billed_pusd(self) -> int:
        """Everything that is on the bill."""
        return sum(line.billed_pusd for line in self.lines)

    @property
    def by_reason(self) -> dict[Reason, int]:
        """What each reason makes of the whole difference, in the order of the reasons."""
        sums: dict[Reason, int] = {}
        for line in self.lines:
            for part in line.parts:
                sums[part.reason] = sums.get(part.reason, 0) + part.amount_pusd
        return {reason: sums[reason] for reason in Reason if reason in sums}

    def lines_with(self, reason: Reason) -> int:
        """How many lines have a reason."""
        return sum(any(part.reason is reason for part in line.parts) for line in self.lines)

    @property
    def explained_pusd(self) -> int:
        """What has a reason; with `unexplained_pusd` it is the whole difference."""
        reasons = self.by_reason
        return sum(reasons.values()) - reasons.get(Reason.UNEXPLAINED, 0)

    @property
    def unexplained_pusd(self) -> int:
        """What has none."""
        return self.billed_pusd - self.recorded_pusd - self.explained_pusd

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
