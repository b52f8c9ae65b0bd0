"""Authorization: one table of permissions and one function that decides.

A permission requires a scope of the credential, a role of the member and a plan of the
organization. Roles in `own` are allowed for their own objects only; services filter out other
objects as if they did not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from outlay.domain.actor import Actor, Plan, Role, Scope
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import NotPermitted


class Permission(StrEnum):
    """A permission; each route declares one."""

    ORGANIZATION_USAGE = "organization usage"
    OWN_USAGE = "own usage"
    PROJECT_USAGE = "usage of projects"
    KEY_USAGE = "usage of API keys"
    RECONCILIATIONS_READ = "reconciliations"
    RECONCILIATIONS_WRITE = "reconciling"
    REQUESTS_READ = "single requests"
    REQUESTS_AMEND = "amending requests"
    USAGE_RECORD = "recording usage"
    ACCOUNT_READ = "your own account"
    ACCOUNT_WRITE = "changing your own account"
    ORGANIZATION_READ = "organization"
    ORGANIZATION_WRITE = "changing the organization"
    MEMBERS_READ = "members"
    MEMBERS_WRITE = "changing members"
    MEMBERS_ERASE = "erasing members"
    PROJECTS_READ = "projects"
    PROJECTS_WRITE = "changing projects"
    KEYS_READ = "API keys"
    KEYS_WRITE = "changing API keys"
    DISCOVERED_READ = "discovered entities"
    DISCOVERED_WRITE = "changing discovered entities"
    TAGS_READ = "tags"
    TAGS_WRITE = "changing tags"
    GROUPS_READ = "user groups"
    GROUPS_WRITE = "changing user groups"
    UPSTREAMS_READ = "upstreams"
    UPSTREAMS_WRITE = "changing upstreams"
    PRICES_READ = "prices"
    PRICES_WRITE = "changing prices"
    LIMITS_READ = "spend limits"
    LIMITS_WRITE = "changing spend limits"
    TOKENS_READ = "access tokens"
    TOKENS_WRITE = "changing access tokens"
    SSO_READ = "single sign-on"
    SSO_WRITE = "changing single sign-on"
    AUDIT_READ = "the audit trail"


@dataclass(frozen=True, slots=True)
class Rule:
    """The requirements of a permission."""

    scope: Scope
    roles: frozenset[Role]
    plans: frozenset[Plan] = frozenset(Plan)
    own: frozenset[Role] = frozenset()
    """Roles that have the permission for their own objects only."""


_ANYBODY: Final = frozenset(Role)
_LEADERS: Final = frozenset({Role.OWNER, Role.ADMIN})
_OWNERS: Final = frozenset({Role.OWNER})
_DEVELOPERS: Final = frozenset({Role.DEVELOPER})
_ENTERPRISE: Final = frozenset({Plan.ENTERPRISE})

POLICY: Final[Mapping[Permission, Rule]] = {
    Permission.ORGANIZATION_USAGE: Rule(Scope.USAGE_READ, _LEADERS, _ENTERPRISE),
    Permission.OWN_USAGE: Rule(Scope.USAGE_READ, _ANYBODY, own=_ANYBODY),
    Permission.PROJECT_USAGE: Rule(Scope.USAGE_READ, _ANYBODY, own=_DEVELOPERS),
    Permission.KEY_USAGE: Rule(Scope.USAGE_READ, _ANYBODY, own=_DEVELOPERS),
    Permission.RECONCILIATIONS_READ: Rule(Scope.USAGE_READ, _LEADERS, _ENTERPRISE),
    Permission.RECONCILIATIONS_WRITE: Rule(Scope.USAGE_WRITE, _LEADERS, _ENTERPRISE),
    Permission.REQUESTS_READ: Rule(Scope.USAGE_READ, _ANYBODY, own=_DEVELOPERS),
    Permission.REQUESTS_AMEND: Rule(Scope.USAGE_WRITE, _LEADERS),
    Permission.USAGE_RECORD: Rule(Scope.USAGE_WRITE, _LEADERS),
    Permission.ACCOUNT_READ: Rule(Scope.DIRECTORY_READ, _ANYBODY, own=_ANYBODY),
    Permission.ACCOUNT_WRITE: Rule(Scope.DIRECTORY_WRITE, _ANYBODY, own=_ANYBODY),
    Permission.ORGANIZATION_READ: Rule(Scope.DIRECTORY_READ, _ANYBODY),
    Permission.ORGANIZATION_WRITE: Rule(Scope.DIRECTORY_WRITE, _OWNERS),
    Permission.MEMBERS_READ: Rule(Scope.DIRECTORY_READ, _LEADERS),
    Permission.MEMBERS_WRITE: Rule(Scope.DIRECTORY_WRITE, _LEADERS),
    Permission.MEMBERS_ERASE: Rule(Scope.DIRECTORY_WRITE, _OWNERS),
    Permission.PROJECTS_READ: Rule(Scope.DIRECTORY_READ, _ANYBODY),
    Permission.PROJECTS_WRITE: Rule(Scope.DIRECTORY_WRITE, _LEADERS),
    Permission.KEYS_READ: Rule(Scope.DIRECTORY_READ, _ANYBODY, own=_DEVELOPERS),
    Permission.KEYS_WRITE: Rule(Scope.DIRECTORY_WRITE, _ANYBODY, own=_DEVELOPERS),
    Permission.DISCOVERED_READ: Rule(Scope.DIRECTORY_READ, _LEADERS),
    Permission.DISCOVERED_WRITE: Rule(Scope.DIRECTORY_WRITE, _LEADERS),
    Permission.TAGS_READ: Rule(Scope.DIRECTORY_READ, _ANYBODY),
    Permission.TAGS_WRITE: Rule(Scope.DIRECTORY_WRITE, _LEADERS),
    Permission.GROUPS_READ: Rule(Scope.DIRECTORY_READ, _LEADERS, _ENTERPRISE),
    Permission.GROUPS_WRITE: Rule(Scope.DIRECTORY_WRITE, _LEADERS, _ENTERPRISE),
    Permission.UPSTREAMS_READ: Rule(Scope.DIRECTORY_READ, _LEADERS),
    Permission.UPSTREAMS_WRITE: Rule(Scope.DIRECTORY_WRITE, _LEADERS),
    Permission.PRICES_READ: Rule(Scope.DIRECTORY_READ, _LEADERS),
    Permission.PRICES_WRITE: Rule(Scope.DIRECTORY_WRITE, _LEADERS),
    Permission.LIMITS_READ: Rule(Scope.DIRECTORY_READ, _LEADERS),
    Permission.LIMITS_WRITE: Rule(Scope.DIRECTORY_WRITE, _LEADERS),
    Permission.TOKENS_READ: Rule(Scope.DIRECTORY_READ, _ANYBODY, own=_DEVELOPERS),
    Permission.TOKENS_WRITE: Rule(Scope.DIRECTORY_WRITE, _ANYBODY, own=_DEVELOPERS),
    Permission.SSO_READ: Rule(Scope.DIRECTORY_READ, _OWNERS, _ENTERPRISE),
    Permission.SSO_WRITE: Rule(Scope.DIRECTORY_WRITE, _OWNERS, _ENTERPRISE),
    Permission.AUDIT_READ: Rule(Scope.AUDIT_READ, _LEADERS),
}


def permit(actor: Actor, permission: Permission) -> None:
    """Raise NotPermitted, naming the missing requirement, unless the actor has a permission."""
    rule = POLICY[permission]
    if actor.is_operator:
        return
    if rule.scope not in actor.scopes:
        raise NotPermitted(
            f"This access token does not allow {permission}. It needs the scope {rule.scope}.",
            code=ErrorCode.SCOPE_REQUIRED,
        )
    if actor.plan not in rule.plans:
        raise NotPermitted(
            f"Your organization's plan does not include {permission}. "
            f"{_either(rule.plans).capitalize()} does.",
            code=ErrorCode.PLAN_REQUIRED,
        )
    if actor.role not in rule.roles:
        raise NotPermitted(
            f"Your role does not include {permission}. It requires {_either(rule.roles)}.",
            code=ErrorCode.ROLE_REQUIRED,
        )


def permit_one_of(actor: Actor, *permissions: Permission) -> None:
    """Raise NotPermitted, naming the first, unless the actor has one of some permissions."""
    if not any(has(actor, permission) for permission in permissions):
        permit(actor, permissions[0])


def has(actor: Actor, permission: Permission) -> bool:
    """Whether an actor has a permission."""
    try:
        permit(actor, permission)
    except NotPermitted:
        return False
    return True


class Lack(StrEnum):
    """What an actor lacks for a permission."""

    PLAN = "plan"
    ROLE = "role"


def lacks(actor: Actor, permission: Permission) -> frozenset[Lack]:
    """What the actor lacks for a permission, regardless of the credential: plan, role or both."""
    rule = POLICY[permission]
    if actor.is_operator:
        return frozenset()
    return frozenset(
        lack
        for lack, is_missing in (
            (Lack.PLAN, actor.plan not in rule.plans),
            (Lack.ROLE, actor.role not in rule.roles),
        )
        if is_missing
    )


def is_sold(permission: Permission) -> bool:
    """Whether a permission is included in some plans only."""
    return POLICY[permission].plans != frozenset(Plan)


def is_limited(actor: Actor, permission: Permission) -> bool:
    """Whether an actor has a permission for their own objects only."""
    return not actor.is_operator and actor.role in POLICY[permission].own


def grantable_scopes(actor: Actor) -> frozenset[Scope]:
    """The scopes that an actor may grant to an access token: those that the actor can use."""
    return usable_scopes(actor.role) & actor.scopes


def usable_scopes(role: Role) -> frozenset[Scope]:
    """The scopes that members with a role can use, regardless of the plan."""
    return frozenset(rule.scope for rule in POLICY.values() if role in rule.roles)


_RANK: Final = {Role.DEVELOPER: 0, Role.ADMIN: 1, Role.OWNER: 2}


def may_manage(actor: Actor, role: Role) -> bool:
    """Whether an actor may create, change or remove members with a role: never a higher role than
    its own.
    """
    return actor.is_operator or _RANK[role] <= _RANK[actor.role]


def permit_admission(actor: Actor, role: Role) -> None:
    """Raise NotPermitted unless an actor may let others sign in with a role.

    A member who signs in has every scope that the role can use. A credential that lacks one of them
    must not admit anyone, or it could be used to escalate its rights.
    """
    missing = usable_scopes(role) - actor.scopes
    if missing:
        raise NotPermitted(
            f"This access token cannot grant sign-in as {role}, a role with more rights than the "
            f"token. It needs the scope {' and '.join(sorted(missing))}.",
            code=ErrorCode.SCOPE_REQUIRED,
        )


def _either(values: frozenset[Plan] | frozenset[Role]) -> str:
    return " or ".join(value.value for value in type(next(iter(values))) if value in values)
