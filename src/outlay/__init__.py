"""Outlay: the usage-analytics system of an LLM gateway."""

from typing import Final

__version__: Final = "0.1.0"
