"""How many tokens an answer of a model can have at most; `tools/new_output_limits.py` has why."""

from importlib.resources import files
from typing import Final

import msgspec

_DATA: Final = files("outlay.pricing") / "data" / "output_limits.json"
_LIMITS: Final = msgspec.json.decode(_DATA.read_bytes(), type=dict[str, int])


def listed_output_limit(model: str) -> int | None:
    """The most that a canonical model, or the base of a fine-tune, answers; None if not listed."""
    return _LIMITS.get(model.removeprefix("ft:"))
