"""Questions of an actor: permitted, and narrowed to their own where that is all they may see."""

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.policy import Permission, is_limited, permit
from outlay.domain.query import UsageQuery


def owner_of(actor: Actor, permission: Permission) -> str | None:
    """The member whose things alone the actor may see; None where they may see everybody's."""
    permit(actor, permission)
    return actor.member_id if is_limited(actor, permission) else None


def own_keys_only(actor: Actor, query: UsageQuery, permission: Permission) -> UsageQuery:
    """The question, about the API keys that the actor created where they may see no others."""
    owner = owner_of(actor, permission)
    return query if owner is None else query.only(Dimension.MEMBER, owner)


def own_requests_only(actor: Actor, query: UsageQuery) -> UsageQuery:
    """The question, about the requests attributed to the actor where they may see no others."""
    owner = owner_of(actor, Permission.REQUESTS_READ)
    return query if owner is None else query.only(Dimension.USER, owner)
