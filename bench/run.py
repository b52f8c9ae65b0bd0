"""All benchmarks: prints the tables and writes them to bench/results/."""

import argparse
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench import (
    analytics,
    dashboard,
    file_import,
    gateway,
    http_ingest,
    ingest,
    pricing,
    queries,
    request_log,
    scale_out,
    spend_limits,
    startup,
    verify,
)

RESULTS = Path("bench/results")


def main() -> None:
    """Run each benchmark in its own process, so that memory is measured separately."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000, help="rollup rows of the questions")
    parser.add_argument("--events", type=int, default=verify.EVENTS, help="events to verify")
    parser.add_argument("--only", help="the name of one of them")
    arguments = parser.parse_args()
    parts: dict[str, tuple[Callable[..., list[str]], tuple[int, ...]]] = {
        "pricing": (pricing.run, ()),
        "startup": (startup.run, ()),
        "ingest": (ingest.run, ()),
        "http-ingest": (http_ingest.run, ()),
        "verify": (verify.run, (arguments.events,)),
        "file-import": (file_import.run, ()),
        "gateway": (gateway.run, ()),
        "spend-limits": (spend_limits.run, ()),
        "scale-out": (scale_out.run, ()),
        "dashboard": (dashboard.run, ()),
        "request-log": (request_log.run, ()),
        "queries": (queries.run, (arguments.rows,)),
        "analytics": (analytics.run, (arguments.rows,)),
    }
    if arguments.only not in {None, *parts}:
        parser.error(f"there are {', '.join(parts)}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name, (run, given) in parts.items():
        if arguments.only in {None, name}:
            # Not a multiprocessing.Pool: its processes cannot have children.
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                lines = pool.submit(run, *given).result()
            print(f"\n## {name}\n")
            print("\n".join(lines), flush=True)
            (RESULTS / f"{name}.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
