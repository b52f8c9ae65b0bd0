"""What can be configured, and the only reader of the environment.

`values` declares every setting once: its type, default, variable, unit and description. `reading`
derives from that how the environment is read, what an error says, `outlay config`, and the table
in the documentation.
"""

from outlay.settings.reading import (
    Declared,
    Effective,
    Explanation,
    Origin,
    declared_settings,
    explain_settings,
    read_settings,
)
from outlay.settings.values import (
    DEFAULT_POOL_SIZE,
    DEFAULT_PORT,
    MAX_WORKERS,
    EdgeSettings,
    LogLevel,
    LogSettings,
    ProxySettings,
    Settings,
)

__all__ = [
    "DEFAULT_POOL_SIZE",
    "DEFAULT_PORT",
    "MAX_WORKERS",
    "Declared",
    "EdgeSettings",
    "Effective",
    "Explanation",
    "LogLevel",
    "LogSettings",
    "Origin",
    "ProxySettings",
    "Settings",
    "declared_settings",
    "explain_settings",
    "read_settings",
]
