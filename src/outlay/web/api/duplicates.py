"""`/api/v1/duplicates`: requests that were probably reported twice."""

from typing import Annotated

from fastapi import Depends
from pydantic import Field, StringConstraints
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.amendment import root_of
from outlay.domain.duplicate import Candidate
from outlay.domain.ids import EventId
from outlay.domain.money import render_usd
from outlay.domain.policy import Permission
from outlay.services.recording.duplicates import MAX_MERGED, Pair
from outlay.web.api.models import Answer, Body, render_us
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/duplicates", tags=["duplicates"])

Writer = Annotated[Actor, Depends(Requires(Permission.REQUESTS_AMEND))]

Reported = Annotated[EventId, StringConstraints(min_length=1, max_length=256)]


class CandidateAnswer(Answer):
    """One of the two requests."""

    event_id: EventId
    time: str | None
    source: str
    provider: str
    cost: str
    """USD, as text."""


class DuplicateAnswer(Answer):
    """Two requests from two sources with the same model and tokens at about the same time."""

    model: str
    input_tokens: int
    output_tokens: int
    kept: CandidateAnswer
    """The request that would count."""
    dropped: CandidateAnswer


class DuplicateList(Answer):
    """Possible duplicates of the last seven days, newest first, up to 200."""

    duplicates: list[DuplicateAnswer]


class PairBody(Body):
    """Two requests to merge."""

    kept: Reported
    dropped: Reported


class MergeBody(Body):
    """The pairs to merge."""

    pairs: Annotated[list[PairBody], Field(min_length=1, max_length=MAX_MERGED)]


class MergeAnswer(Answer):
    """The number of merged pairs."""

    merged_count: int


def _candidate(found: Candidate) -> CandidateAnswer:
    return CandidateAnswer(
        event_id=root_of(found.event_id),
        time=render_us(found.event_time_us),
        source=found.source,
        provider=found.provider,
        cost=render_usd(found.cost_pusd),
    )


@router.get("")
def get_doubles(request: Request, actor: Writer) -> DuplicateList:
    """List requests that were probably reported twice, by two sources without a common id."""
    return DuplicateList(
        duplicates=[
            DuplicateAnswer(
                model=pair.kept.model,
                input_tokens=pair.kept.input_tokens,
                output_tokens=pair.kept.output_tokens,
                kept=_candidate(pair.kept),
                dropped=_candidate(pair.dropped),
            )
            for pair in services_of(request).duplicates.list_for(actor.organization_id)
        ]
    )


@router.post("/merge")
def post_merge(request: Request, body: MergeBody, actor: Writer) -> MergeAnswer:
    """Merge pairs: the second request of each is voided and stays in the ledger."""
    pairs = [Pair(pair.kept, pair.dropped) for pair in body.pairs]
    return MergeAnswer(merged_count=services_of(request).duplicates.merge(actor, pairs))
