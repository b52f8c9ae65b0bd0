"""The most output tokens of each model; `tools/new_output_limits.py` explains the source."""

from importlib.resources import files
from typing import Final

import msgspec

_DATA: Final = files("outlay.pricing") / "data" / "output_limits.json"
_LIMITS: Final = msgspec.json.decode(_DATA.read_bytes(), type=dict[str, int])


def listed_output_limit(model: str) -> int | None:
    """The limit of a canonical model, or of the base of a fine-tune; None if not listed."""
    return _LIMITS.get(model.removeprefix("ft:"))
