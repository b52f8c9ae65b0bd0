"""The pages there are: one line each, read by the sidebar."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the sidebar."""

    title: str
    path: str
    icon: str
    is_enterprise: bool = False


@dataclass(frozen=True, slots=True)
class NavSection:
    """A titled run of entries."""

    title: str
    items: tuple[NavItem, ...]


NAVIGATION: Final = (
    NavSection(
        "Organization",
        (NavItem("Analytics", "/organization/analytics", "chart-area", is_enterprise=True),),
    ),
)
