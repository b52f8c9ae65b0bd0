"""Explains a page that the actor may not open: what it shows and how to get access."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from outlay.domain.actor import Actor, Role
from outlay.domain.organization import Member
from outlay.domain.policy import POLICY, Lack, Permission, lacks
from outlay.web.dashboard.navigation import NavItem

CONTACTS: Final = 3
"""Maximum number of owners named."""

_AS: Final = {Role.OWNER: "an owner", Role.ADMIN: "an admin", Role.DEVELOPER: "a developer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The text of a refusal."""

    title: str
    offer: str
    """What the page shows; empty if unknown."""
    reasons: Sequence[str]
    command: str
    """The command for the operator; empty if no command helps."""
    ask: str
    """What the people in `contacts` can do."""
    contacts: Sequence[Member]
    is_for_sale: bool


def describe_refusal(
    actor: Actor, item: NavItem | None, code: str, owners: Sequence[Member]
) -> Refusal:
    """Explain a page to an actor; `code` is what the policy found to be missing."""
    page = f"“{item.title}”" if item else "This page"
    missing = lacks(actor, item.permission) if item else frozenset({_LACKS[code]})
    needs_role = Lack.ROLE in missing
    return Refusal(
        title=f"{page} requires the Enterprise plan"
        if Lack.PLAN in missing
        else f"{page} is available to {_roles(item)}",
        offer=f"It shows {item.offer}." if item and item.offer else "",
        reasons=[*_plan_reasons(actor, missing), *_role_reasons(actor, item, missing)],
        command="outlay org update --plan enterprise" if Lack.PLAN in missing else "",
        ask="" if actor.role is Role.OWNER else _ask(needs_role, Lack.PLAN in missing),
        contacts=[] if actor.role is Role.OWNER else list(owners[:CONTACTS]),
        is_for_sale=Lack.PLAN in missing,
    )


_LACKS: Final = {"plan-required": Lack.PLAN, "role-required": Lack.ROLE}


def _plan_reasons(actor: Actor, missing: frozenset[Lack]) -> list[str]:
    if Lack.PLAN not in missing:
        return []
    plan = actor.plan.value.capitalize()
    reasons = [f"{actor.organization_name} is on the {plan} plan, which does not include it."]
    if Lack.ROLE not in missing:
        reasons.append(f"As {_AS[actor.role]} you can open it after an upgrade.")
    return reasons


def _role_reasons(actor: Actor, item: NavItem | None, missing: frozenset[Lack]) -> list[str]:
    if Lack.ROLE not in missing:
        return []
    place = f"You are in {actor.organization_name} as {_AS[actor.role]}"
    if Lack.PLAN in missing:
        return [f"{place}. Your role does not include it; it is available to {_roles(item)}."]
    return [f"{place}, and your role does not include it."]


def _ask(needs_role: bool, needs_plan: bool) -> str:
    if needs_role and needs_plan:
        return "can give you another role, and ask for the plan"
    return "can give you another role" if needs_role else "can ask for the plan"


def _roles(item: NavItem | None) -> str:
    permission = item.permission if item else Permission.ORGANIZATION_USAGE
    roles = POLICY[permission].roles
    return " and ".join(f"{role.value}s" for role in Role if role in roles)
