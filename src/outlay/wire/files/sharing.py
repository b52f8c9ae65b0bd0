"""Splitting one report into several with the same sums, to the last token and pico-dollar."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import MAX_TEXT
from outlay.domain.ids import EventId
from outlay.domain.meter import METERS
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport

_INPUT: Final = "input_tokens"
_READ: Final = "cache_read_input_tokens"
_OUTPUT: Final = "output_tokens"


def shared(report: UsageReport, pieces: int) -> Sequence[UsageReport]:
    """The report in pieces; no piece contradicts itself unless the whole does."""
    if pieces == 1:
        return (report,)
    cost = report.reported_cost_pusd
    found = []
    for index in range(pieces):
        usage, meters = _share_of_usage(report, index, pieces)
        found.append(
            replace(
                report,
                event_id=EventId(f"{report.event_id[: MAX_TEXT - 10]}#{index}"),
                usage=None if report.usage is None else usage,
                meters=meters,
                reported_cost_pusd=None if cost is None else _share(cost, index, pieces),
            )
        )
    return found


def _share_of_usage(
    report: UsageReport, index: int, pieces: int
) -> tuple[TokenUsage, Mapping[str, int]]:
    """Disjoint parts are split, so that no part exceeds its whole."""
    usage = report.usage or TokenUsage()
    kinds = {
        _INPUT: usage.input_tokens - usage.cache_read_input_tokens - usage.cache_write_input_tokens,
        _READ: usage.cache_read_input_tokens,
        "short": usage.cache_write_input_tokens - usage.cache_write_1h_input_tokens,
        "lasting": usage.cache_write_1h_input_tokens,
        _OUTPUT: usage.output_tokens - usage.reasoning_output_tokens,
        "reasoning": usage.reasoning_output_tokens,
    }
    own = {
        name: quantity - report.meters.get(METERS[name].cached, 0)
        for name, quantity in report.meters.items()
    }
    for name, quantity in own.items():
        if METERS[name].within:
            kinds[METERS[name].within] -= quantity
    if min((*kinds.values(), *own.values())) < 0:
        raise Invalid(
            "The token counts contradict each other: a part (cached, reasoning, one kind) is "
            "larger than its total.",
            code=ErrorCode.MALFORMED_ROW,
            field=_INPUT,
        )
    parts = {name: _share(count, index, pieces) for name, count in kinds.items()}
    meters = {name: _share(quantity, index, pieces) for name, quantity in own.items()}
    for name, quantity in meters.items():
        if METERS[name].within:
            parts[METERS[name].within] += quantity
    written = parts["short"] + parts["lasting"]
    tokens = TokenUsage(
        parts[_INPUT] + parts[_READ] + written,
        parts[_OUTPUT] + parts["reasoning"],
        parts[_READ],
        written,
        parts["lasting"],
        parts["reasoning"],
    )
    whole = {
        name: quantity + meters.get(METERS[name].cached, 0) for name, quantity in meters.items()
    }
    return tokens, whole


def _share(whole: int, index: int, pieces: int) -> int:
    return whole // pieces + (index < whole % pieces)
