"""`/api/v1/tokens`: access tokens, with which programs use this API."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.access_token import AccessToken
from outlay.domain.actor import Actor, Scope
from outlay.domain.ids import TokenId
from outlay.domain.policy import Permission
from outlay.web.api.models import Answer, Body, Instant, render_us
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/tokens", tags=["access tokens"])

Reader = Annotated[Actor, Depends(Requires(Permission.TOKENS_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.TOKENS_WRITE))]


class TokenBody(Body):
    """A new access token; its scopes cannot exceed the caller's."""

    description: str
    scopes: list[Scope]
    expires_at: Instant | None = None


class TokenAnswer(Answer):
    """An access token, without its secret."""

    token_id: TokenId
    member_id: str
    parent_id: TokenId | None
    """The access token that created it, if any; it expires or is revoked with that token."""
    description: str
    scopes: list[Scope]
    created_at: str | None
    expires_at: str | None


class NewTokenAnswer(TokenAnswer):
    """An access token with its secret, which is shown only once."""

    token: str


class TokenList(Answer):
    """Access tokens, oldest first."""

    tokens: list[TokenAnswer]


def _render(token: AccessToken) -> TokenAnswer:
    return TokenAnswer(
        token_id=token.token_id,
        member_id=token.member_id,
        parent_id=token.parent_id,
        description=token.description,
        scopes=sorted(token.scopes),
        created_at=render_us(token.created_at_us),
        expires_at=render_us(token.expires_at_us),
    )


@router.get("")
def get_tokens(request: Request, actor: Reader) -> TokenList:
    """List the access tokens of the organization; for developers, their own."""
    found = services_of(request).administration.tokens.list_for(actor)
    return TokenList(tokens=[_render(token) for token in found])


@router.post("", status_code=201)
def post_token(request: Request, body: TokenBody, actor: Writer) -> NewTokenAnswer:
    """Create an access token for the caller. Its secret is returned only here.

    A token created with another one expires with it at the latest.
    """
    token, text = services_of(request).administration.tokens.create(
        actor,
        description=body.description,
        scopes=body.scopes,
        expires_at=body.expires_at,
    )
    return NewTokenAnswer(token=text, **_render(token).model_dump())


@router.delete("/{token_id}", status_code=204)
def delete_token(request: Request, token_id: TokenId, actor: Writer) -> None:
    """Revoke an access token and everything created with it: tokens and open links."""
    services_of(request).administration.tokens.revoke(actor, token_id)
