"""`/api/v1/limits`: spend limits of keys, projects and members."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.money import read_amount, render_usd
from outlay.domain.policy import Permission
from outlay.domain.spend_limit import LimitInterval, LimitScope, SpendLimit
from outlay.web.api.models import Amount, Answer, Body
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.query_strings import check_names
from outlay.web.http.routes import Router

router = Router(prefix="/limits", tags=["spend limits"])

Reader = Annotated[Actor, Depends(Requires(Permission.LIMITS_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.LIMITS_WRITE))]


class LimitBody(Body):
    """A new limit."""

    scope: LimitScope
    scope_id: str
    interval: LimitInterval
    amount_usd: Amount


class LimitAnswer(Answer):
    """An amount that may be spent within one interval of the organization's time zone."""

    scope: LimitScope
    scope_id: str
    interval: LimitInterval
    amount_usd: str


class LimitList(Answer):
    """All limits."""

    limits: list[LimitAnswer]


def _render(limit: SpendLimit) -> LimitAnswer:
    return LimitAnswer(
        scope=limit.scope,
        scope_id=limit.scope_id,
        interval=limit.interval,
        amount_usd=render_usd(limit.amount_pusd),
    )


@router.get("")
def get_limits(request: Request, actor: Reader) -> LimitList:
    """List the spend limits of the organization."""
    found = services_of(request).administration.limits.list_for(actor)
    return LimitList(limits=[_render(limit) for limit in found])


@router.put("")
def put_limit(request: Request, body: LimitBody, actor: Writer) -> LimitAnswer:
    """Set a limit, replacing the one for the same scope and interval."""
    return _render(
        services_of(request).administration.limits.put(
            actor,
            body.scope,
            body.scope_id,
            body.interval,
            read_amount(body.amount_usd),
        )
    )


@router.delete("", status_code=204)
def delete_limit(
    request: Request,
    scope: LimitScope,
    scopeId: str,
    interval: LimitInterval,
    actor: Writer,
) -> None:
    """Remove a limit."""
    names = frozenset({"scope", "scopeId", "interval"})
    check_names(request.query_params, names, names)
    services_of(request).administration.limits.delete(actor, scope, scopeId, interval)
