"""The lines that a server streams during a verification: progress and result.

Sums exceed 64 bits, so they are text here.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from outlay.domain.verification import Difference, VerifyReport

_Digits = Annotated[str, Meta(pattern=r"^-?[0-9]+$")]


class _Difference(msgspec.Struct, frozen=True, kw_only=True):
    where: str
    measure: str
    ledger: _Digits
    cube: _Digits


class _Report(msgspec.Struct, frozen=True, kw_only=True):
    events: int
    days: int
    cells: int
    through_seq: int
    cost_pusd: _Digits
    difference_count: int
    differences: list[_Difference]
    damage: str | None


def render_report(report: VerifyReport) -> object:
    """A report as JSON-compatible values."""
    return msgspec.to_builtins(
        _Report(
            events=report.events,
            days=report.days,
            cells=report.cells,
            through_seq=report.through_seq,
            cost_pusd=str(report.cost_pusd),
            difference_count=report.difference_count,
            differences=[
                _Difference(
                    where=one.where,
                    measure=one.measure,
                    ledger=str(one.ledger),
                    cube=str(one.cube),
                )
                for one in report.differences
            ],
            damage=report.damage,
        )
    )


def parse_report(values: object) -> VerifyReport:
    """The inverse of `render_report`; raises msgspec.ValidationError for anything else."""
    found = msgspec.convert(values, _Report)
    return VerifyReport(
        events=found.events,
        days=found.days,
        cells=found.cells,
        through_seq=found.through_seq,
        cost_pusd=int(found.cost_pusd),
        difference_count=found.difference_count,
        differences=[
            Difference(
                where=one.where, measure=one.measure, ledger=int(one.ledger), cube=int(one.cube)
            )
            for one in found.differences
        ],
        damage=found.damage,
    )
