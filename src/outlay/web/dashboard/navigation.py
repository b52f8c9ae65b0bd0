"""All pages: one line each, for the sidebar, the command palette and refusals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.organization import Project
from outlay.domain.policy import Lack, Permission, is_sold, lacks
from outlay.web.dashboard.places import project_path


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the sidebar."""

    title: str
    path: str
    icon: str
    permission: Permission
    offer: str = ""
    """What the page shows, for actors who may not open it."""


@dataclass(frozen=True, slots=True)
class NavSection:
    """A titled group of entries."""

    title: str
    items: tuple[NavItem, ...]


NAVIGATION: Final = (
    NavSection(
        "Organization",
        (
            NavItem(
                "Analytics",
                "/organization/analytics",
                "chart-area",
                Permission.ORGANIZATION_USAGE,
                "spend, requests and tokens of the whole organization, by model, project, API key, "
                "user, group, app and provider, and what drove a change",
            ),
            NavItem(
                "Members",
                "/organization/members",
                "users",
                Permission.ORGANIZATION_USAGE,
                "what each member's API keys are used for, by spend, with their models and apps",
            ),
            NavItem(
                "Users & groups",
                "/organization/users-and-groups",
                "layers",
                Permission.ORGANIZATION_USAGE,
                "the users and user groups with the highest spend, and what a request of theirs "
                "costs",
            ),
            NavItem(
                "Monthly report",
                "/organization/report",
                "file-text",
                Permission.ORGANIZATION_USAGE,
                "a printable monthly report with a file for chargeback",
            ),
            NavItem(
                "Reconciliation",
                "/organization/reconciliation",
                "check",
                Permission.RECONCILIATIONS_READ,
                "a provider's bill compared line by line with recorded usage",
            ),
            NavItem(
                "Reported costs",
                "/organization/reported-costs",
                "tag",
                Permission.ORGANIZATION_USAGE,
                "costs reported by providers and senders, compared with computed costs",
            ),
        ),
    ),
    NavSection(
        "Monitoring",
        (
            NavItem(
                "Dashboard",
                "/monitoring/dashboard",
                "gauge",
                Permission.ORGANIZATION_USAGE,
                "request rate, latency percentiles, errors by kind and the health of providers",
            ),
            NavItem(
                "Users analytics",
                "/monitoring/users",
                "table",
                Permission.ORGANIZATION_USAGE,
                "the table of all users with tokens, cost and latency, to sort, search and export",
            ),
            NavItem("Requests", "/monitoring/requests", "list", Permission.REQUESTS_READ),
            NavItem("My usage", "/me/usage", "user", Permission.OWN_USAGE),
            NavItem(
                "Audit trail",
                "/monitoring/audit",
                "shield",
                Permission.AUDIT_READ,
                "who changed what and when, with previous values",
            ),
        ),
    ),
    NavSection("Setup", (NavItem("Settings", "/settings", "settings", Permission.ACCOUNT_READ),)),
)
"""The navigation items of the current project."""


def project_section(project: Project) -> NavSection:
    """The pages of a project."""
    place = project_path(project)
    return NavSection(
        "Project",
        (
            NavItem("Overview", place, "house", Permission.PROJECT_USAGE),
            NavItem("Analytics", f"{place}/analytics", "chart-area", Permission.PROJECT_USAGE),
            NavItem("API keys", f"{place}/keys", "key", Permission.KEY_USAGE),
        ),
    )


SETTINGS: Final = (
    NavItem("Account", "/settings/account", "user", Permission.ACCOUNT_READ),
    NavItem("General", "/settings/organization", "settings", Permission.ORGANIZATION_READ),
    NavItem(
        "Members",
        "/settings/members",
        "users",
        Permission.MEMBERS_READ,
        "members, their roles and invitations",
    ),
    NavItem("Projects", "/settings/projects", "folder", Permission.PROJECTS_READ),
    NavItem("API keys", "/settings/keys", "key", Permission.KEYS_READ),
    NavItem(
        "User groups",
        "/settings/groups",
        "layers",
        Permission.GROUPS_READ,
        "groups of people, to report cost by team or cost centre",
    ),
    NavItem(
        "Discovered",
        "/settings/discovered",
        "search",
        Permission.DISCOVERED_READ,
        "entities found in imported or reported usage",
    ),
    NavItem(
        "Upstreams",
        "/settings/upstreams",
        "server",
        Permission.UPSTREAMS_READ,
        "provider connections and their credentials",
    ),
    NavItem(
        "Prices",
        "/settings/prices",
        "tag",
        Permission.PRICES_READ,
        "prices negotiated with providers",
    ),
    NavItem(
        "Repricing",
        "/settings/repricing",
        "tag",
        Permission.PRICES_READ,
        "recalculated costs of recorded requests after a price change",
    ),
    NavItem(
        "Limits",
        "/settings/limits",
        "gauge",
        Permission.LIMITS_READ,
        "spend limits for projects, members and API keys",
    ),
    NavItem("Access tokens", "/settings/tokens", "key", Permission.TOKENS_READ),
    NavItem(
        "Single sign-on",
        "/settings/sso",
        "lock",
        Permission.SSO_READ,
        "sign-in with your identity provider",
    ),
)
"""The sections of the settings."""


def is_listed(item: NavItem, actor: Actor) -> bool:
    """Whether an entry is shown to an actor: what the actor may open, and what a plan includes,
    also if it is locked."""
    return is_sold(item.permission) or Lack.ROLE not in lacks(actor, item.permission)


def lock_of(item: NavItem, actor: Actor) -> Lack | None:
    """The reason why an entry is locked; if both plan and role are missing, the one to change
    first."""
    missing = lacks(actor, item.permission)
    return next((lack for lack in Lack if lack in missing), None)


def page_at(path: str) -> NavItem | None:
    """The entry that a path belongs to."""
    known: Sequence[NavItem] = [*(i for s in NAVIGATION for i in s.items), *SETTINGS]
    below = [item for item in known if path == item.path or path.startswith(f"{item.path}/")]
    return max(below, key=lambda item: len(item.path), default=None)
