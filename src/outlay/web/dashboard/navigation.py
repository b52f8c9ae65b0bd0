"""The pages there are: one line each, read by the sidebar."""

from dataclasses import dataclass
from typing import Final

from outlay.domain.policy import Permission


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the sidebar."""

    title: str
    path: str
    icon: str
    is_enterprise: bool = False
    permission: Permission | None = None
    """Left out for those who do not have it, unless it is for sale."""


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
    NavSection(
        "Monitoring",
        (
            NavItem("My usage", "/me/usage", "user"),
            NavItem("Audit trail", "/monitoring/audit", "list", permission=Permission.AUDIT_READ),
        ),
    ),
    NavSection("Setup", (NavItem("Settings", "/settings", "settings"),)),
)

SETTINGS: Final = (
    NavItem("Account", "/settings/account", "user", permission=Permission.ACCOUNT_READ),
    NavItem(
        "General", "/settings/organization", "settings", permission=Permission.ORGANIZATION_READ
    ),
    NavItem("Members", "/settings/members", "users", permission=Permission.MEMBERS_READ),
    NavItem("Projects", "/settings/projects", "folder", permission=Permission.PROJECTS_READ),
    NavItem("API keys", "/settings/keys", "key", permission=Permission.KEYS_READ),
    NavItem("User groups", "/settings/groups", "layers", permission=Permission.GROUPS_READ),
    NavItem("Upstreams", "/settings/upstreams", "server", permission=Permission.UPSTREAMS_READ),
    NavItem("Prices", "/settings/prices", "tag", permission=Permission.PRICES_READ),
    NavItem("Limits", "/settings/limits", "gauge", permission=Permission.LIMITS_READ),
    NavItem("Access tokens", "/settings/tokens", "key", permission=Permission.TOKENS_READ),
    NavItem("Single sign-on", "/settings/sso", "lock", permission=Permission.SSO_READ),
)
"""The sections of the settings."""
