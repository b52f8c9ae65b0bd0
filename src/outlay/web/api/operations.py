"""`POST /api/v1/operations/…`: operations that other commands on this machine request from the
server.

Only the holder of the operator token, which is in the data directory, may call them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Annotated

import msgspec
import orjson
from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from outlay.domain.errors import Invalid, OutlayError
from outlay.domain.ids import OrganizationId
from outlay.domain.verification import VerifyReport
from outlay.kit.progress import Progress
from outlay.services.bundle import erase_member, operator_in
from outlay.services.import_target import import_target
from outlay.services.reconciliation.bills import BillFile
from outlay.services.repricing.orders import RepriceOrder
from outlay.web.http.auth import OperatorOnly, services_of
from outlay.web.http.body import MAX_INGEST, read_body
from outlay.web.http.routes import Router
from outlay.web.ingest.events import outcome_response
from outlay.wire.native import parse_events
from outlay.wire.verification import render_report

router = Router(
    prefix="/operations",
    include_in_schema=False,
    dependencies=[Depends(OperatorOnly(max_body=MAX_INGEST))],
)


@router.post("/verify")
def post_verify(request: Request) -> Response:
    """Verify the cube. Streams progress and the report as lines of JSON. 409 while other work is
    running."""
    return _stream(services_of(request).maintenance.verify())


@router.post("/rebuild")
def post_rebuild(request: Request) -> Response:
    """Rebuild the cube. Streams progress as lines of JSON. 409 while other work is running."""
    return _stream(services_of(request).maintenance.rebuild())


@router.get("/scrub")
def get_scrub(request: Request) -> Response:
    """The progress and the findings of the scrub."""
    services = services_of(request)
    state = services.scrubbing.state
    return Response(
        orjson.dumps({**asdict(state), "faults": services.scrubbing.faults}),
        media_type="application/json",
    )


@router.post("/target")
async def post_target(request: Request) -> Response:
    """The organization and project of an import, created if necessary."""
    services = services_of(request)
    wanted = orjson.loads(await read_body(request))

    def resolve() -> bytes:
        target = import_target(services.administration, wanted["organization"], wanted["project"])
        return orjson.dumps(asdict(target))

    return Response(await run_in_threadpool(resolve), media_type="application/json")


@router.post("/events")
async def post_events(request: Request, organization: str, source: Annotated[str, ""]) -> Response:
    """Record events of an import in an organization."""
    services = services_of(request)
    body = await read_body(request)

    def record() -> Response:
        known = {entry.organization_id for entry in services.administration.organizations.all()}
        if organization not in known:
            raise Invalid("There is no such organization.", field="organization")
        reports = parse_events(body, source)
        return outcome_response(
            reports, services.recorder.record(OrganizationId(organization), reports)
        )

    return await run_in_threadpool(record)


@router.post("/reconcile")
async def post_reconcile(request: Request, organization: str) -> Response:
    """Compare a bill on behalf of the operator."""
    services = services_of(request)
    file = msgspec.json.decode(await read_body(request), type=BillFile)

    def reconcile() -> bytes:
        operator = operator_in(services, organization or None)
        return msgspec.json.encode(services.reconciling.reconcile(operator, file))

    return Response(await run_in_threadpool(reconcile), media_type="application/json")


@router.post("/reprice")
async def post_reprice(request: Request) -> Response:
    """Reprice requests on behalf of the operator; answers when it is finished."""
    services = services_of(request)
    order = msgspec.json.decode(await read_body(request), type=RepriceOrder)

    def reprice() -> bytes:
        operator = operator_in(services, order.organization)
        return msgspec.json.encode(services.reprices.carry_out(operator, order))

    return Response(await run_in_threadpool(reprice), media_type="application/json")


@router.post("/erase")
async def post_erase(request: Request) -> Response:
    """Erase a member on behalf of the operator."""
    services = services_of(request)
    wanted = orjson.loads(await read_body(request))

    def erase() -> bytes:
        return orjson.dumps(asdict(erase_member(services, wanted["organization"], wanted["who"])))

    return Response(await run_in_threadpool(erase), media_type="application/json")


def _stream(items: Iterable[Progress | VerifyReport]) -> StreamingResponse:
    return StreamingResponse(_lines(items), media_type="application/x-ndjson")


def _lines(items: Iterable[Progress | VerifyReport]) -> Iterator[bytes]:
    """Each item as a line, and a last line with the result, because the status has been sent by
    then.

    Nothing is held here. The client may disconnect, and each line may be requested by another
    thread: the work continues in its own.
    """
    report: VerifyReport | None = None
    try:
        for item in items:
            if isinstance(item, Progress):
                yield _dump({"progress": asdict(item)})
            else:
                report = item
        yield _dump({"done": report and render_report(report)})
    except OutlayError as error:
        yield _dump({"error": {"code": error.code, "message": error.message}})
    except Exception as error:
        # Any error has been logged where the work is done.
        message = f"it failed in the server; see its log: {type(error).__name__}"
        yield _dump({"error": {"code": "failed", "message": message}})


def _dump(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
