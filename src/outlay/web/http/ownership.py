"""Questions cut to what is the actor's own, where that is all they may see."""

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.policy import Permission, is_limited
from outlay.domain.query import UsageQuery


def owner_of(actor: Actor, permission: Permission) -> str | None:
    """The member whose things alone the actor may see; None where they may see everybody's."""
    return actor.member_id if is_limited(actor, permission) else None


def own_keys_only(actor: Actor, query: UsageQuery, permission: Permission) -> UsageQuery:
    """The question, about the API keys that the actor created where they may see no others."""
    if not is_limited(actor, permission):
        return query
    return query.only(Dimension.MEMBER, actor.member_id)


def own_requests_only(actor: Actor, query: UsageQuery) -> UsageQuery:
    """The question, about the requests put down to the actor where they may see no others."""
    if not is_limited(actor, Permission.REQUESTS_READ):
        return query
    return query.only(Dimension.USER, actor.member_id)
