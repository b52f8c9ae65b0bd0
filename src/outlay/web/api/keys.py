"""`/api/v1/api-keys`: the keys with which applications call the gateway."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.ids import ApiKeyId, MemberId, ProjectId
from outlay.domain.organization import ApiKey
from outlay.domain.policy import Permission
from outlay.web.api.models import Answer, Body, Flag, Instant, given, render_us
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/api-keys", tags=["API keys"])

Reader = Annotated[Actor, Depends(Requires(Permission.KEYS_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.KEYS_WRITE))]


class KeyBody(Body):
    """A new API key; it is attributed to the caller unless another member is named."""

    project_id: ProjectId
    description: str
    member_id: MemberId | None = None
    trusts_caller: Flag = False
    expires_at: Instant | None = None


class KeyChange(Body):
    """The fields to change."""

    description: str | None = None
    trusts_caller: Flag | None = None


class KeyAnswer(Answer):
    """An API key, without its secret."""

    api_key_id: ApiKeyId
    project_id: ProjectId
    member_id: MemberId
    description: str
    hint: str
    trusts_caller: bool
    status: str
    created_at: str | None
    expires_at: str | None


class NewKeyAnswer(KeyAnswer):
    """An API key with its secret, which is shown only once."""

    key: str


class KeyList(Answer):
    """API keys by description."""

    api_keys: list[KeyAnswer]


def _render(api_key: ApiKey, now_us: int) -> KeyAnswer:
    return KeyAnswer(
        api_key_id=api_key.api_key_id,
        project_id=api_key.project_id,
        member_id=api_key.member_id,
        description=api_key.description,
        hint=api_key.hint,
        trusts_caller=api_key.trusts_caller,
        status=api_key.status_at(now_us),
        created_at=render_us(api_key.created_at_us),
        expires_at=render_us(api_key.expires_at_us),
    )


@router.get("")
def get_keys(request: Request, actor: Reader) -> KeyList:
    """List the API keys of the organization; for developers, their own."""
    services = services_of(request)
    now_us = services.now_us()
    found = services.administration.keys.list_for(actor)
    return KeyList(api_keys=[_render(key, now_us) for key in found])


@router.post("", status_code=201)
def post_key(request: Request, body: KeyBody, actor: Writer) -> NewKeyAnswer:
    """Create an API key. Its secret is returned only here."""
    services = services_of(request)
    api_key, text = services.administration.keys.create(
        actor,
        project_id=body.project_id,
        description=body.description,
        member_id=body.member_id,
        trusts_caller=body.trusts_caller,
        expires_at=body.expires_at,
    )
    return NewKeyAnswer(key=text, **_render(api_key, services.now_us()).model_dump())


@router.get("/{api_key_id}")
def get_key(request: Request, api_key_id: ApiKeyId, actor: Reader) -> KeyAnswer:
    """One API key."""
    services = services_of(request)
    return _render(services.administration.keys.find(actor, api_key_id), services.now_us())


@router.patch("/{api_key_id}")
def patch_key(request: Request, api_key_id: ApiKeyId, body: KeyChange, actor: Writer) -> KeyAnswer:
    """Change the description of an API key, or whether it may set attribution."""
    services = services_of(request)
    changed = services.administration.keys.update(actor, api_key_id, **given(body))
    return _render(changed, services.now_us())


@router.post("/{api_key_id}/revoke", status_code=204)
def post_revoke(request: Request, api_key_id: ApiKeyId, actor: Writer) -> None:
    """Revoke an API key; it stays in the list."""
    services_of(request).administration.keys.revoke(actor, api_key_id)


@router.delete("/{api_key_id}", status_code=204)
def delete_key(request: Request, api_key_id: ApiKeyId, actor: Writer) -> None:
    """Revoke an API key and remove it from the list."""
    services_of(request).administration.keys.delete(actor, api_key_id)
