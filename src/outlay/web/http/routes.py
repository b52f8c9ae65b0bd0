"""Routes that authenticate callers before they read the body, and that limit the body.

FastAPI reads and parses a body before it calls the dependencies of a route. Here the route's policy
is checked first, the body is limited while it arrives, and only then is it parsed.
"""

from collections.abc import Callable, Coroutine
from enum import Enum
from functools import wraps
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
from outlay.web.http.answers.base import Answer
from outlay.web.http.auth import ADMITTED, Policy
from outlay.web.http.body import BodyTooLarge
from outlay.web.http.endpoints import answers_of, params_of, writes_itself
from outlay.web.http.faults import describe_fault
from outlay.web.http.head import headers_of, is_head
from outlay.web.http.openapi import API_PREFIX
from outlay.web.http.rendering import json_answer
from outlay.web.http.usage_params import MoneyParams

_MULTIPART: Final = "multipart/"


class GuardedRoute(APIRoute):
    """A route that checks its policy before it reads the body."""

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
                # Here, not in FastAPI, which turns any error while reading into a 400.
                await bounded.body()
            try:
                response = await answer(bounded)
            except Exception as error:
                # An error that is kept in a variable forms a cycle with its traceback and frame,
                # which holds the whole body. The cycle is broken here: a large body is too few
                # objects to trigger garbage collection.
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

    @override
    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if answers_of(endpoint):
            options["response_model"] = None
        if answers_of(endpoint) and not writes_itself(endpoint):
            endpoint = _writing(endpoint)
        if kind := params_of(endpoint):
            extra = options.get("openapi_extra") or {}
            options["openapi_extra"] = {**extra, "parameters": kind.described()}
        super().add_api_route(path, endpoint, **options)


def _writing(endpoint: Callable[..., Answer]) -> Callable[..., Response]:
    """An endpoint that writes its answer as JSON, in the thread that created it."""

    @wraps(endpoint)
    def write(**values: Any) -> Response:
        styles = [value.money for value in values.values() if isinstance(value, MoneyParams)]
        return json_answer(endpoint(**values), *styles)

    return write


def _served_as(declared: str, path: str) -> str:
    """The path of a route including the prefix, which FastAPI stores separately."""
    has_prefix = path.startswith(f"{API_PREFIX}/") and not declared.startswith(API_PREFIX)
    return f"{API_PREFIX}{declared}" if has_prefix else declared


def policy_of(dependant: Dependant) -> Policy:
    """The only policy that a route, or its router, declares."""
    found = {
        dependency.call
        for dependency in dependant.dependencies
        if isinstance(dependency.call, Policy)
    }
    if len(found) != 1:
        raise RuntimeError(f"{dependant.path} declares {len(found)} policies instead of one")
    return found.pop()


def _check_length(request: Request, bound: int) -> None:
    """Refuse a body by its announced length."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bound:
        raise BodyTooLarge(bound)


def _check_media_type(request: Request) -> None:
    """Forms here have no files, so they do not need an encoding that supports files."""
    media_type = request.headers.get("content-type", "").strip().lower()
    if media_type.startswith(_MULTIPART):
        raise Invalid(
            "Send this form as application/x-www-form-urlencoded. Multipart is not supported.",
            code=ErrorCode.UNKNOWN_MEDIA_TYPE,
        )


def _bounded(receive: Receive, bound: int) -> Receive:
    """`receive`, raising BodyTooLarge once more than `bound` bytes have arrived."""
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
    if first["type"] == "json_invalid":
        place = []  # not a field, but a position in the text
    elif kind != "body":
        place = place[:1]  # without the index among repeated parameters: the name as it is sent
    name = ".".join(map(str, place))
    return Invalid(describe_fault(first, name), field=name or str(kind))
