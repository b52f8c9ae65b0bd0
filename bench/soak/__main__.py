"""Loads a server for a long time and fails if any of its resources grow.

Usage: `python -m bench.soak [--minutes 20] [--seed 1]`. Exit code 0: everything is flat, and every
answer of the upstream and every acknowledged event is recorded once. 1: a list of deviations.
"""

import argparse
import asyncio
import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.program import OUTLAY, kill_group, run, wait_for_server
from tests.upstream import Upstream, running_upstream

from bench.soak.account import Account, compare
from bench.soak.load import EMAIL, PASSWORD, Load
from bench.soak.samples import GAUGES, Sampler
from bench.soak.trend import table_of, trends_of

SHOWN_FAULTS: Final = 20
SETTLE_SECONDS: Final = 30.0
"""How long answers of disconnected clients may take to end after the load."""


def main() -> int:
    """Run the soak test and print the results; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="how long [20]")
    parser.add_argument("--seed", type=int, default=1, help="of what is random in the load [1]")
    parser.add_argument("--samples", type=Path, help="a file for all samples, as CSV")
    arguments = parser.parse_args()
    if os.environ.get("OUTLAY_DATABASE_URL"):
        parser.error("the soak looks into SQLite files: unset OUTLAY_DATABASE_URL")
    folder = Path(tempfile.mkdtemp(prefix="outlay-soak-"))
    try:
        with running_upstream() as upstream:
            seconds = arguments.minutes * 60
            lines, faults = soak(folder, upstream, seconds, arguments.seed, arguments.samples)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(lines))
    for fault in faults[:SHOWN_FAULTS]:
        print(f"- {fault}")
    if len(faults) > SHOWN_FAULTS:
        print(f"- and {len(faults) - SHOWN_FAULTS} more")
    return 1 if faults else 0


def soak(
    folder: Path, upstream: Upstream, seconds: float, seed: int, samples: Path | None
) -> tuple[list[str], list[str]]:
    """Tables of results, and the deviations."""
    data = folder / "data"
    token, key = set_up(data, upstream)
    with (folder / "serve.log").open("w") as log:
        server = subprocess.Popen(
            [*OUTLAY, "serve", "--data", str(data), "--port", "0"],
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        url = wait_for_server(data, server)["url"]
        load = Load(url, key=key, token=token, seed=seed)
        sampler = Sampler(server.pid, data, url, interval=max(0.5, min(5.0, seconds / 100)))
        sampler.start()
        asyncio.run(load.run(seconds))
        sampler.stop()
        wait_until_settled(sampler)
    finally:
        kill_group(server, signal.SIGTERM)
        server.wait(60)
    verified = run("verify", "--data", data)
    account = compare(data, upstream.served, load)

    if samples is not None:
        with samples.open("w", newline="") as file:
            writer = csv.DictWriter(file, [gauge.name for gauge in GAUGES])
            writer.writeheader()
            writer.writerows(sampler.samples)
    trends = trends_of(GAUGES, sampler.samples)
    faults = [f"{trend.gauge.name} grows" for trend in trends if trend.has_grown]
    faults += load.faults + account.faults
    if server.returncode != 0:
        faults.append(f"the server ended with exit code {server.returncode}")
    if verified.returncode != 0:
        faults.append(f"outlay verify: {verified.stdout}{verified.stderr}")
    text = (folder / "serve.log").read_text()
    if "Traceback" in text:
        faults.append(
            f"the log has {text.count('Traceback')} tracebacks; its end is\n{text[-3_000:]}"
        )
    return [*table_of(trends), "", *describe(load, account)], faults


def set_up(data: Path, upstream: Upstream) -> tuple[str, str]:
    """An organization with an upstream: an access token of its owner, and an API key."""
    token = run("owner", EMAIL, "--data", data, env_password=PASSWORD).stdout.strip()
    base_url = ("--base-url", upstream.url)
    secret = ("--secret", "sk-upstream-secret")
    made = run("upstream", "add", "openai", *base_url, *secret, "--data", data)
    assert made.returncode == 0, made.stderr
    run("project", "create", "P", "--data", data)
    created = run("key", "create", "--project", "P", "--description", "soak", "--data", data)
    found = re.search(r"otl_\w+", created.stdout)
    assert found is not None, created.stderr
    return token, found[0]


def wait_until_settled(sampler: Sampler) -> None:
    """Wait for the answers of disconnected clients to end."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while sampler.take()["open intents"] and time.monotonic() < deadline:
        time.sleep(0.2)


def describe(load: Load, account: Account) -> list[str]:
    """The load, and the result of the comparison."""
    done = ", ".join(f"{count:,} {kind}" for kind, count in sorted(load.answers.items()))
    return [
        f"{done}; {load.disconnects:,} hung up.",
        f"The upstream answered {account.calls:,} requests, {account.relayed:,} are on record; "
        f"{account.unanswered:,} requests ended without an answer. "
        f"{len(load.acknowledged):,} events were sent and acknowledged, {account.sent:,} are on "
        "record.",
    ]


if __name__ == "__main__":
    sys.exit(main())
