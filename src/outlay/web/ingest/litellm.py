"""`POST /v1/ingest/litellm`: the unchanged payloads of LiteLLM's `generic_api` logger."""

from functools import partial
from typing import Annotated, Final

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.web.http.answers.ingest import Acknowledgement
from outlay.web.http.auth import RECORDS_USAGE
from outlay.web.http.openapi import json_body
from outlay.web.http.query_strings import check_names
from outlay.web.http.routes import Router
from outlay.web.ingest.events import outcome_response, record_body
from outlay.wire.litellm.payload import PAYLOADS_SCHEMA, Teams, parse_payloads

router = Router(tags=["ingest"])

NAMES: Final = frozenset({"teams"})


@router.post("/v1/ingest/litellm", openapi_extra={"requestBody": json_body(PAYLOADS_SCHEMA)})
async def post_litellm(
    request: Request,
    actor: Annotated[Actor, Depends(RECORDS_USAGE)],
    teams: Annotated[
        Teams, Query(description="What LiteLLM's teams are mapped to.")
    ] = Teams.PROJECTS,
) -> Annotated[Response, Acknowledgement]:
    """Record LiteLLM's log: an array, one payload per line, or a single one; including failures.

    A call counts once, however often it is posted. A payload that contradicts the recorded call is
    kept as a conflict. The status is 200 even then: LiteLLM drops or repeats a whole batch, never a
    part of it.
    """
    check_names(request.query_params, NAMES)
    parse = partial(parse_payloads, teams=teams)
    return outcome_response(*await record_body(request, actor, parse), conflict_status=200)
