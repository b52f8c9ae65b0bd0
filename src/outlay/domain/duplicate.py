"""Possible duplicates: two requests that are likely one, without a shared id that proves it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

from outlay.domain.ids import EventId
from outlay.domain.same_answer import GATEWAY

APART_US: Final = 120_000_000
"""Maximum distance between the times of two reports of one request."""

MIN_TOKENS: Final = 20
"""Requests with fewer tokens match by chance."""


class Candidate(NamedTuple):
    """The fields of a request by which duplicates are found."""

    model: str
    input_tokens: int
    output_tokens: int
    event_time_us: int
    seq: int
    event_id: EventId
    """The id of its row."""
    source: str
    provider: str
    response_id: str
    cost_pusd: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two requests that are probably one."""

    kept: Candidate
    dropped: Candidate


def find_duplicates(candidates: Iterable[Candidate]) -> Iterator[Duplicate]:
    """Pairs of requests from two sources with the same model and tokens at about the same time.

    `candidates` are sorted by model, tokens and time. Each request is in at most one pair. Requests
    whose answers have different ids are different requests.
    """
    for _, group in groupby(candidates, key=lambda found: found[:3]):
        left: list[Candidate] = []
        for found in group:
            left = [
                other for other in left if found.event_time_us - other.event_time_us <= APART_US
            ]
            twin = next((other for other in left if _may_be_one(other, found)), None)
            if twin is None:
                left.append(found)
            else:
                left.remove(twin)
                kept, dropped = sorted((twin, found), key=_rank)
                yield Duplicate(kept, dropped)


def may_be_duplicate(one: Candidate, other: Candidate) -> bool:
    """Whether two requests may be merged."""
    return (
        one[:3] == other[:3]
        and abs(one.event_time_us - other.event_time_us) <= APART_US
        and _may_be_one(one, other)
    )


def _may_be_one(one: Candidate, other: Candidate) -> bool:
    if one.source == other.source:
        return False
    ids = {one.response_id, other.response_id} - {""}
    return len(ids) < 2


def _rank(candidate: Candidate) -> tuple[bool, bool, int]:
    """Sort key: the gateway's record first, then one with an answer id, then the earliest."""
    return candidate.source != GATEWAY, not candidate.response_id, candidate.seq
