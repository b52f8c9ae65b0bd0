"""The web application: all handlers, and the middleware around them."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from outlay import __version__
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import OutlayError, Unauthenticated
from outlay.services.bundle import Services
from outlay.storage.row_level_security import begin_work
from outlay.web.api import (
    account,
    analytics,
    audit,
    csv_exports,
    discovered,
    duplicates,
    groups,
    health,
    keys,
    limits,
    members,
    operations,
    organization,
    prices,
    profiles,
    projects,
    reconciliations,
    report_exports,
    reported_costs,
    reprices,
    request_exports,
    requests,
    sessions,
    sso,
    tags,
    tokens,
    upstreams,
    usage_tables,
)
from outlay.web.dashboard import routes as dashboard
from outlay.web.dashboard.templating import render_error
from outlay.web.http import security_txt
from outlay.web.http.access_log import AccessLog, note_route
from outlay.web.http.auth import Open, bearer_token
from outlay.web.http.connections import Connections
from outlay.web.http.errors import (
    TITLES,
    is_out_of_files,
    out_of_files,
    problem,
    status_of,
    wants_html,
)
from outlay.web.http.forwarded import see_behind_proxies
from outlay.web.http.head import HeadAsGet
from outlay.web.http.headers import SameOriginWrites, SecurityHeaders
from outlay.web.http.hosts import TrustedHosts, refuse_host
from outlay.web.http.openapi import API_PREFIX, describe
from outlay.web.http.probes import Probes
from outlay.web.http.refusals import Refusals
from outlay.web.http.routes import Router
from outlay.web.ingest import events, litellm, otlp
from outlay.web.preloading import preload
from outlay.web.proxy.answers import PreparedResponse, send_response
from outlay.web.proxy.app import Proxy
from outlay.web.proxy.unknown_paths import is_unknown_path

API_ROUTERS: Final = (
    analytics.router,
    health.router,
    usage_tables.router,
    profiles.router,
    requests.router,
    sessions.router,
    report_exports.router,
    csv_exports.router,
    request_exports.router,
    audit.router,
    account.router,
    organization.router,
    members.router,
    projects.router,
    keys.router,
    groups.router,
    tags.router,
    upstreams.router,
    discovered.router,
    duplicates.router,
    reconciliations.router,
    reprices.router,
    reported_costs.router,
    prices.router,
    prices.rates_router,
    limits.router,
    tokens.router,
    sso.router,
    operations.router,
)
"""Served under `API_PREFIX`."""

ROUTERS: Final = (
    events.router,
    litellm.router,
    otlp.router,
    dashboard.router,
    security_txt.router,
)

ALIASES: Final = (
    "/analytics/activity",
    "/analytics/members",
    "/analytics/members/{user_id}",
)
"""API paths that are also served without the prefix, permanently."""


class Application:
    """The whole server: the gateway's paths as pure ASGI, all others by FastAPI."""

    def __init__(
        self,
        services: Services,
        operator_token: str,
        more: Mapping[str, ASGIApp] | None = None,
        setup_secret: str = "",
    ) -> None:
        """`more` are further paths with their handlers.

        `setup_secret` is the last part of the URL for setting up the first owner; if it is empty,
        there is no such URL.
        """
        self._services = services
        self.connections = Connections(services.settings.edge)
        self.pages = create_pages(services, operator_token, setup_secret)
        refusals = self.pages.state.refusals
        self.probes = Probes(services, refusals, self.connections)
        self.pages.state.refused = self.probes.metrics.refused
        self._proxy = Proxy(services, refusals, self.probes.metrics)
        self._hosts = TrustedHosts(services.settings)
        self._logged = AccessLog(self._serve, services.tracer)
        self._trusted_proxies = services.settings.edge.trusted_proxies
        # Compared as written: a different spelling is a different path.
        handlers = {**self._proxy.handlers, **self.probes.handlers, **(more or {})}
        self.handlers = {path.encode(): handler for path, handler in handlers.items()}
        """Handlers of paths that are not pages."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's startup and shutdown."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._logged(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._hosts.takes(scope):
            await refuse_host(scope, send)
            return
        if handler := self.handlers.get(scope["raw_path"]):
            note_route(scope, scope["path"])
            await handler(scope, receive, send)
            return
        if is_unknown_path(scope["raw_path"]) and not self._has_page(scope):
            await self._proxy.serve_other(scope, receive, send)
            return
        if scope["method"] == "HEAD" and scope["raw_path"] == b"/":
            # Coding agents and monitors check with this whether the server is there.
            note_route(scope, "/")
            await send_response(send, PreparedResponse(200, [(b"content-length", b"0")], b""))
            return
        see_behind_proxies(scope, self._trusted_proxies)
        with begin_work():
            await self.pages(scope, receive, send)

    def _has_page(self, scope: Scope) -> bool:
        """Whether a path is served by something other than the gateway, with any method."""
        sought = {**scope, "path": scope["path"].rstrip("/")}
        return any(route.matches(sought)[0] is not Match.NONE for route in self.pages.routes)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.probes.start()
        self._proxy.start()
        preloading = asyncio.create_task(asyncio.to_thread(preload, self._services))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.wait([preloading])  # its error is in the log, and no reason to stop
        self.probes.close()
        await self._proxy.close()
        self.connections.close()
        await send({"type": "lifespan.shutdown.complete"})


def create_pages(services: Services, operator_token: str, setup_secret: str = "") -> FastAPI:
    """Dashboard, JSON API and ingest over the services of one installation."""
    app = FastAPI(
        title="Outlay",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        middleware=[
            Middleware(HeadAsGet),
            Middleware(SecurityHeaders),
            Middleware(SameOriginWrites),
            Middleware(GZipMiddleware, minimum_size=1024, compresslevel=4),
        ],
    )
    app.state.services = services
    app.state.operator_token = operator_token
    app.state.setup_secret = setup_secret
    app.state.refusals = refusals = Refusals()
    app.state.refused = lambda: refusals.counts

    documentation = Router(dependencies=[Depends(Open("documentation"))], include_in_schema=False)

    @documentation.get("/openapi.json")
    @documentation.get(f"{API_PREFIX}/openapi.json")
    def get_openapi() -> dict[str, Any]:
        """The OpenAPI document of the JSON API."""
        return describe(app)

    for router in API_ROUTERS:
        app.include_router(router, prefix=API_PREFIX)
    app.include_router(_aliases(), include_in_schema=False)
    for router in (*ROUTERS, documentation):
        app.include_router(router)

    app.add_exception_handler(OutlayError, _on_outlay_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, _on_hang_up)
    app.add_exception_handler(Exception, _on_bug)
    return app


def _aliases() -> Router:
    """The routes of `ALIASES`, with the same functions and policies as under the prefix."""
    router = Router()
    for served in API_ROUTERS:
        for route in served.routes:
            if isinstance(route, APIRoute) and route.path in ALIASES:
                router.routes.append(route)
    return router


def _on_outlay_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, OutlayError):
        raise error
    status = status_of(error)
    if isinstance(error, Unauthenticated) and request.url.path.startswith("/v1/"):
        request.app.state.refusals.note_credential(bearer_token(request), request.scope)
    if not wants_html(request):
        return problem(
            status,
            error.code,
            error.message,
            field=error.field,
            request=request,
            retry_after=getattr(error, "retry_after", None),
        )
    if isinstance(error, Unauthenticated) and request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        target = (
            Request(request.scope)
            .url.replace(path="/login", query="", fragment="")
            .include_query_params(next=request.url.path + query)
        )
        return RedirectResponse(f"/login?{target.query}", 303)
    return render_error(request, status, TITLES.get(status, "Error"), error.message, error.code)


_CODE_OF_STATUS: Final = {
    400: ErrorCode.BAD_REQUEST,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
}
"""The error codes of what the framework refuses itself."""


_MOVED: Final = f"The API is under {API_PREFIX}: put that before the path."


def _is_api_path(request: Request) -> bool:
    """Whether a path has a route under the prefix of the API, as it had once without."""
    scope = {**request.scope, "path": API_PREFIX + request.url.path}
    routes = request.app.routes
    return any(route.matches(scope)[0] is not Match.NONE for route in routes)


def _refusal(request: Request, status: int, error: Exception) -> str:
    """Why the framework itself refused a request whose path exists."""
    if status != 405:
        return "The request cannot be read."
    allowed = getattr(error, "headers", None) or {}
    hint = f" Use {allowed['Allow']}." if "Allow" in allowed else ""
    return f"This path does not support the method {request.method}.{hint}"


def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    title = TITLES.get(status, "Error")
    if wants_html(request):
        detail = "There is no such page." if status == 404 else _refusal(request, status, error)
        return render_error(request, status, title, detail, "http")
    if status == 404:
        detail = _MOVED if _is_api_path(request) else "There is no such path."
    else:
        detail = _refusal(request, status, error)
    code = _CODE_OF_STATUS.get(status, ErrorCode.ERROR)
    return problem(status, code, detail, request=request)


def _on_hang_up(_: Request, __: Exception) -> Response:
    """A client that disconnected while sending, which is not a server error."""
    return Response(status_code=400)


def _on_bug(request: Request, error: Exception) -> Response:
    if is_out_of_files(error):
        return _on_outlay_error(request, out_of_files())
    detail = "The server failed to handle the request. Its log has the details."
    if wants_html(request):
        return render_error(request, 500, TITLES[500], detail, ErrorCode.INTERNAL)
    return problem(500, ErrorCode.INTERNAL, detail, request=request)
