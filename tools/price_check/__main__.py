"""`python -m tools.price_check`: compares our prices with those of other tables.

    python -m tools.price_check                                  # genai-prices' own calculation
    python -m tools.price_check --litellm .prices/litellm --llmgateway .prices/llmgateway

Exit code 0: every difference is known (`known.toml`); 1: some are not, and are printed; 2: a table
or the list of known differences cannot be read.
"""

import argparse
import csv
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time
from pathlib import Path

from tools.price_check.genai import read_genai
from tools.price_check.known import BadList, Known, read_known, reason_of
from tools.price_check.litellm import read_litellm
from tools.price_check.llmgateway import read_llmgateway
from tools.price_check.quotes import Compared, Quote, Verdict, compare

from outlay.pricing.book import PriceBook

COLUMNS = ("table", "mapping", "what", "theirs", "ours", "priceRef", "right", "why")
NOON = time(12, tzinfo=UTC)
"""Outside of all peak hours."""


def main() -> int:
    """Run the command."""
    options = _read_options()
    at = datetime.combine(options.at or datetime.now(UTC).date(), NOON)
    try:
        known = read_known()
        report = Report(known)
        report.take(_quotes(options, at))
    except (BadList, OSError, StopIteration, subprocess.CalledProcessError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    report.print(is_whole=options.sample == 1.0)
    if options.write:
        report.write(options.write)
    return 1 if report.unknown else 0


def _quotes(options: argparse.Namespace, at: datetime) -> Iterator[Quote]:
    yield from read_genai(at, options.sample)
    if options.litellm:
        yield from read_litellm(options.litellm, at)
    if options.llmgateway:
        yield from read_llmgateway(options.llmgateway, at)


class Report:
    """The result of a comparison."""

    def __init__(self, known: Sequence[Known]) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        """By table and verdict."""
        self.different: list[tuple[Compared, Known | None]] = []
        self._known = known

    @property
    def unknown(self) -> list[Compared]:
        """The differences without a known reason."""
        return [found for found, reason in self.different if reason is None]

    def take(self, quotes: Iterable[Quote]) -> None:
        """Compare some quotes with our prices."""
        book = PriceBook()
        for quote in quotes:
            found = compare(book, quote)
            self.counts[quote.table, found.verdict.value] += 1
            if found.verdict is Verdict.DIFFERENT:
                self.different.append((found, reason_of(found, self._known)))

    def print(self, *, is_whole: bool) -> None:
        """Print the results, with unexplained differences last."""
        for table in dict.fromkeys(table for table, _ in self.counts):
            counts = (f"{self.counts[table, verdict.value]:,} {verdict}" for verdict in Verdict)
            print(f"{table}: {', '.join(counts)}")
        fitting = Counter(reason.number for _, reason in self.different if reason)
        for entry in self._known:
            if fitting[entry.number]:
                print(
                    f"  {fitting[entry.number]:5,}  {entry.right:8}  {_subject(entry)}: {entry.why}"
                )
        compared = {table for table, _ in self.counts}
        for entry in self._known:
            if is_whole and not fitting[entry.number] and set(entry.table.split("|")) <= compared:
                print(
                    f"known.toml, entry {entry.number} ({_subject(entry)}), fits nothing any more"
                )
        for found in self.unknown:
            print(f"UNKNOWN {found}")
        if self.unknown:
            print(f"{len(self.unknown):,} differences are not in tools/price_check/known.toml.")

    def write(self, path: Path) -> None:
        """All differences as CSV."""
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(
                ("table", "mapping", "what", "theirs", "ours", "priceRef", "right", "why")
            )
            for found, reason in self.different:
                quote = found.quote
                told = (reason.right, reason.why) if reason else ("", "")
                rows.writerow(
                    (
                        quote.table,
                        quote.mapping,
                        quote.what,
                        quote.cost,
                        found.cost,
                        found.ref,
                        *told,
                    )
                )


def _subject(entry: Known) -> str:
    parts = (entry.table, entry.provider, entry.model, entry.what)
    return " ".join(part for part in parts if part != "*")


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.price_check", description=__doc__)
    parser.add_argument("--litellm", type=Path, help="an environment with litellm, or its table")
    parser.add_argument("--llmgateway", type=Path, help="a folder with node_modules")
    parser.add_argument("--at", type=lambda text: datetime.fromisoformat(text).date(), help="a day")
    parser.add_argument("--sample", type=float, default=1.0, help="share of genai-prices' models")
    parser.add_argument("--write", type=Path, help="a CSV file for the differences")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
