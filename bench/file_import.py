"""A CSV of a million requests through `outlay import`, in a process of its own."""

import csv
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

ROWS: Final = 1_000_000
MODELS: Final = ("openai/gpt-5.4", "anthropic/claude-sonnet-4-5", "google/gemini-2.5-flash")
COLUMNS: Final = (
    "id",
    "when",
    "model",
    "prompt",
    "completion",
    "cached",
    "usd",
    "team",
    "person",
    "app",
)
MAPPING: Final = """
name = "bench"
[fields]
event_id = "id"
time = "when"
model = "model"
input_tokens = "prompt"
output_tokens = "completion"
cache_read_input_tokens = "cached"
cost = "usd"
project = "team"
user = "person"
app = "app"
"""


def run() -> list[str]:
    """The figures, as lines of Markdown."""
    folder = Path(tempfile.mkdtemp(prefix="outlay-bench-"))
    file, mapping = folder / "usage.csv", folder / "mapping.toml"
    mapping.write_text(MAPPING)
    _write(file)
    command = [sys.executable, "-m", "outlay", "import", str(file), "--mapping", str(mapping)]
    started = time.monotonic()
    subprocess.run([*command, "--data", str(folder / "data")], check=True, capture_output=True)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    shutil.rmtree(folder)
    return [
        "| rows | rows/s | seconds | peak memory, MiB |",
        "|---|---|---|---|",
        f"| {ROWS:,} | {ROWS / seconds:,.0f} | {seconds:.0f} | {peak:.0f} |",
    ]


def _write(file: Path) -> None:
    random = Random(7)
    at = datetime.now(UTC) - timedelta(days=30)
    with file.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for number in range(ROWS):
            at += timedelta(seconds=2)
            prompt = random.randrange(50, 8_000)
            writer.writerow(
                [
                    f"r-{number}",
                    at.isoformat(),
                    random.choice(MODELS),
                    prompt,
                    random.randrange(1, 900),
                    random.randrange(prompt),
                    f"{random.random() / 50:.6f}",
                    f"team-{number % 20}",
                    f"user-{number % 300}@example.test",
                    random.choice(("web", "ide", "batch")),
                ]
            )
