"""The gateway compared with nginx (the lower bound), Portkey and LiteLLM, in one run."""

import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.load import AnswersErrors, Closed, closed_loop, open_loop
from bench.sides import PEERS, Side, running_sides, streaming_upstream, whole_upstream

SECONDS = 6
RATE = 200


def run() -> list[str]:
    """The tables, as lines of Markdown."""
    names = ["nginx", "Outlay"]
    names += ["Portkey"] if (PEERS / "node_modules").exists() else []
    names += ["LiteLLM"] if (PEERS / "litellm").exists() else []
    folder = Path(tempfile.mkdtemp(prefix="outlay-bench-"))
    try:
        with (
            whole_upstream(folder / "upstream") as upstream,
            running_sides(upstream, names) as sides,
        ):
            lines = ["### Whole answers, 64 connections", "", *_closed(sides, is_stream=False)]
            lines += ["", f"### Whole answers at {RATE} requests/s", ""]
            lines += _open(Side("direct", upstream, []), sides, is_stream=False)
            lines += ["", *_memory(sides)]
        with streaming_upstream() as upstream, running_sides(upstream, names) as sides:
            lines += ["", "### Streams of 50 events, 64 connections", ""]
            lines += _closed(sides, is_stream=True)
            lines += ["", "### Streams of 50 events at 20 requests/s", ""]
            lines += _open(Side("direct", upstream, []), sides, is_stream=True, rate=20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return lines


def _closed(sides: list[Side], *, is_stream: bool) -> list[str]:
    measured: dict[str, Closed] = {}
    for side in sides:
        try:
            rounds = [closed_loop(side, seconds=SECONDS, is_stream=is_stream) for _ in range(3)]
        except AnswersErrors as error:
            print(error, file=sys.stderr)
            continue
        measured[side.name] = sorted(rounds)[1]
    ours = measured["Outlay"]
    lines = [
        "| | requests/s | Outlay is | CPU per request | p50 | p99 |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in measured.items():
        lines.append(
            f"| {name} | {found.per_second:,.0f} | {ours.per_second / found.per_second:.2f}x | "
            f"{found.cpu_us:,.0f} µs | {found.p50_ms:.1f} ms | {found.p99_ms:.1f} ms |"
        )
    return lines


def _open(direct: Side, sides: list[Side], *, is_stream: bool, rate: int = RATE) -> list[str]:
    lines = ["| | added p50 | added p99 |", "|---|---|---|"]
    for side in sides:
        if is_stream and side.name not in {"nginx", "Outlay", "LiteLLM"}:
            continue  # fails on streams of this upstream
        p50s, p99s = [], []
        for _ in range(3):
            bare = open_loop(direct, rate=rate, seconds=5, is_stream=is_stream)
            through = open_loop(side, rate=rate, seconds=5, is_stream=is_stream)
            p50s.append(_quantile(through, 0.5) - _quantile(bare, 0.5))
            p99s.append(_quantile(through, 0.99) - _quantile(bare, 0.99))
        lines.append(f"| {side.name} | {median(p50s):.2f} ms | {median(p99s):.2f} ms |")
    return lines


def _quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def _memory(sides: list[Side]) -> list[str]:
    shown = ", ".join(f"{side.name} {side.resident_mb():,.0f} MB" for side in sides)
    return [f"Resident memory at its peak: {shown}."]
