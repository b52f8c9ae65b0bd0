"""Checking permissions for questions, and limiting actors to their own usage."""

from dataclasses import replace

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.policy import Permission, is_limited, permit
from outlay.domain.query import UsageQuery


def own_usage_only(actor: Actor, query: UsageQuery) -> UsageQuery:
    """The question, limited to the usage attributed to the actor."""
    return replace(query, filters={**query.filters, Dimension.USER: (actor.member_id,)})


def owner_of(actor: Actor, permission: Permission) -> str | None:
    """The member whose objects are the only ones that the actor may see; None if they may see
    all."""
    permit(actor, permission)
    return actor.member_id if is_limited(actor, permission) else None


def own_keys_only(actor: Actor, query: UsageQuery, permission: Permission) -> UsageQuery:
    """The question, limited to the actor's own API keys if they may not see others."""
    owner = owner_of(actor, permission)
    return query if owner is None else query.only(Dimension.MEMBER, owner)


def own_requests_only(actor: Actor, query: UsageQuery) -> UsageQuery:
    """The question, limited to requests attributed to the actor if they may not see others."""
    owner = owner_of(actor, Permission.REQUESTS_READ)
    return query if owner is None else query.only(Dimension.USER, owner)
