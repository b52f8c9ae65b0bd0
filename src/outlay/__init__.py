"""Outlay: the usage-analytics system of an LLM gateway."""

from importlib.metadata import version
from typing import Final

__version__: Final = version("outlay")
"""The version in pyproject.toml at installation time."""
