"""Writes `pricing/data/output_limits.json`: the maximum number of tokens in an answer of each
model.

python tools/new_output_limits.py model_prices_and_context_window.json

The argument is LiteLLM's list of models (MIT). If routes to a model differ, the most frequent
number counts, or the larger of two: some routes have the context length instead.
"""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

from outlay.pricing.canonical import canonical_model

TARGET = Path(__file__).parents[1] / "src/outlay/pricing/data/output_limits.json"
NO_TEXT = {"embedding", "rerank", "moderation", "search", "ocr", "vector_store"}


def main() -> None:
    """Read LiteLLM's list and write Outlay's."""
    listed = json.loads(Path(sys.argv[1]).read_text())
    stated: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for name, entry in listed.items():
        most = entry.get("max_output_tokens")
        if isinstance(most, int) and most > 0 and entry.get("mode") not in NO_TEXT:
            stated[canonical_model(name)][most] += 1
    lines = (
        f"{json.dumps(model)}: {max(numbers, key=lambda most: (numbers[most], most))}"
        for model, numbers in sorted(stated.items())
    )
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
