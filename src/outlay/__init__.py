"""Outlay: the usage-analytics system of an LLM gateway."""

from importlib.metadata import version
from typing import Final

__version__: Final = version("outlay")
"""As pyproject.toml had it when the package was installed."""
