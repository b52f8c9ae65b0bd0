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
        (
            NavItem("Analytics", "/organization/analytics", "chart-area", is_enterprise=True),
            NavItem("Members", "/organization/members", "users", is_enterprise=True),
            NavItem("Users & groups", "/organization/users-and-groups", "layers", True),
            NavItem("Monthly report", "/organization/report", "file-text", is_enterprise=True),
            NavItem("Reconciliation", "/organization/reconciliation", "check", is_enterprise=True),
        ),
    ),
    NavSection(
        "Monitoring",
        (
            NavItem("Dashboard", "/monitoring/dashboard", "gauge", is_enterprise=True),
            NavItem("Users analytics", "/monitoring/users", "table", is_enterprise=True),
            NavItem("Requests", "/monitoring/requests", "list"),
            NavItem("My usage", "/me/usage", "user"),
            NavItem("Audit trail", "/monitoring/audit", "shield", permission=Permission.AUDIT_READ),
        ),
    ),
    NavSection("Setup", (NavItem("Settings", "/settings", "settings"),)),
)
"""What stands below the section of the project one is in."""


def project_section(project_id: str) -> NavSection:
    """The pages of a project."""
    place = f"/project/{project_id}"
    return NavSection(
        "Project",
        (
            NavItem("Overview", place, "house"),
            NavItem("Analytics", f"{place}/analytics", "chart-area"),
            NavItem("API keys", f"{place}/keys", "key"),
        ),
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
    NavItem("Discovered", "/settings/discovered", "search", permission=Permission.DISCOVERED_READ),
    NavItem("Upstreams", "/settings/upstreams", "server", permission=Permission.UPSTREAMS_READ),
    NavItem("Prices", "/settings/prices", "tag", permission=Permission.PRICES_READ),
    NavItem("Limits", "/settings/limits", "gauge", permission=Permission.LIMITS_READ),
    NavItem("Access tokens", "/settings/tokens", "key", permission=Permission.TOKENS_READ),
    NavItem("Single sign-on", "/settings/sso", "lock", permission=Permission.SSO_READ),
)
"""The sections of the settings."""
