"""Routes that let somebody in before they read what is sent, and read no more than they say.

FastAPI reads and parses a body before it asks the dependencies of a route. Here the policy that a
route declares is asked first, the body is bounded while it arrives, and only then is it parsed.
"""

from collections.abc import Callable, Coroutine
from enum import Enum
from traceback import clear_frames
from typing import Any, Final

from fastapi import APIRouter, params
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive
from typing_extensions import override

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.web.http.access_log import note_principal, note_route
from outlay.web.http.auth import ADMITTED, Policy
from outlay.web.http.body import BodyTooLarge
from outlay.web.http.faults import describe_fault
from outlay.web.http.head import headers_of, is_head
from outlay.web.http.openapi import API_PREFIX

_MULTIPART: Final = "multipart/"


class GuardedRoute(APIRoute):
    """A route that asks its policy before it touches the body."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        policy = policy_of(self.dependant)
        has_body = self.body_field is not None

        async def guarded(request: Request) -> Response:
            note_route(request.scope, _served_as(self.path, request.scope["path"]))
            request.scope[ADMITTED] = admitted = await policy.admit(request)
            note_principal(request.scope, admitted)
            _check_length(request, policy.max_body)
            bounded = Request(request.scope, _bounded(request.receive, policy.max_body))
            if has_body:
                _check_media_type(request)
                # Here, not by FastAPI, which makes a 400 of whatever goes wrong while it reads.
                await bounded.body()
            try:
                response = await answer(bounded)
            except Exception as error:
                # Whoever raises an error that they have in a variable makes a cycle of it, its
                # traceback and their frame, around the whole body. It is cut here: a large body is
                # too few objects to make Python look for it.
                clear_frames(error.__traceback__)
                if isinstance(error, RequestValidationError):
                    raise _malformed(error) from None
                raise
            return headers_of(response) if is_head(request) else response

        return guarded


class Router(APIRouter):
    """A group of guarded routes."""

    def __init__(
        self,
        *,
        prefix: str = "",
        tags: list[str | Enum] | None = None,
        dependencies: list[params.Depends] | None = None,
        include_in_schema: bool = True,
    ) -> None:
        super().__init__(
            prefix=prefix,
            tags=tags,
            dependencies=dependencies,
            include_in_schema=include_in_schema,
            route_class=GuardedRoute,
        )


def _served_as(declared: str, path: str) -> str:
    """The path of a route with the prefix under which it was asked for; FastAPI keeps it apart."""
    has_prefix = path.startswith(f"{API_PREFIX}/") and not declared.startswith(API_PREFIX)
    return f"{API_PREFIX}{declared}" if has_prefix else declared


def policy_of(dependant: Dependant) -> Policy:
    """The one policy that a route, or its router, declares."""
    found = {
        dependency.call
        for dependency in dependant.dependencies
        if isinstance(dependency.call, Policy)
    }
    if len(found) != 1:
        raise RuntimeError(f"{dependant.path} declares {len(found)} policies instead of one")
    return found.pop()


def _check_length(request: Request, bound: int) -> None:
    """Refuse a body by the length that it is announced with."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bound:
        raise BodyTooLarge(bound)


def _check_media_type(request: Request) -> None:
    """No form here has a file in it, so none needs an encoding that can carry one."""
    media_type = request.headers.get("content-type", "").strip().lower()
    if media_type.startswith(_MULTIPART):
        raise Invalid(
            "Send this form as application/x-www-form-urlencoded. Multipart is not supported.",
            code=ErrorCode.UNKNOWN_MEDIA_TYPE,
        )


def _bounded(receive: Receive, bound: int) -> Receive:
    """`receive`, raising BodyTooLarge once more than `bound` bytes have come."""
    size = 0

    async def receive_within_bound() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > bound:
            raise BodyTooLarge(bound)
        return message

    return receive_within_bound


def _malformed(error: RequestValidationError) -> Invalid:
    """What is wrong with a body or parameter, and where."""
    first = error.errors()[0]
    kind, *place = first["loc"]
    name = ".".join(map(str, place))
    detail = describe_fault(first)
    if first["type"] != "value_error":  # our validators write whole sentences
        detail = f"`{name or kind}`: {detail}"
    return Invalid(detail, field=name or str(kind))
