"""Sessions for lists and pages: their sums, models, users and so on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from outlay.domain.answers import SessionSums, SessionTotals
from outlay.domain.dimension import Dimension
from outlay.domain.errors import NotFound
from outlay.domain.questions import SessionList, SessionParts, SessionSummary
from outlay.domain.session import SHOWN_OF, SessionQuery
from outlay.storage.cube.store import CubeReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session, with its requests that match a query."""

    sums: SessionSums
    costs: Mapping[Dimension, Mapping[str, int]]
    """Cost by dimension and value, highest first, without unattributed requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """Some sessions in the requested order."""

    sessions: Sequence[Session]
    totals: SessionTotals
    """Over all sessions, not only those of the page."""


def read_sessions(reader: CubeReader, query: SessionQuery) -> SessionPage:
    """A page of sessions."""
    found = reader.ask(SessionList(query))
    return SessionPage(
        sessions=_described(reader, query, found), totals=reader.ask(SessionSummary(query))
    )


def read_session(reader: CubeReader, query: SessionQuery, session_id: str) -> Session:
    """One session; raises NotFound if none of its requests match the filters."""
    alone = replace(query, session_ids=(session_id,), page=1)
    for session in _described(reader, alone, reader.ask(SessionList(alone))):
        return session
    raise NotFound("There is no such session.")


def _described(
    reader: CubeReader, query: SessionQuery, found: Sequence[SessionSums]
) -> list[Session]:
    if not found:
        return []
    parts = reader.ask(
        SessionParts(replace(query, session_ids=tuple(one.session_id for one in found)))
    )
    costs: dict[str, dict[Dimension, dict[str, int]]] = {
        one.session_id: {dimension: {} for dimension in SHOWN_OF} for one in found
    }
    for part in parts:
        for dimension, value in zip(SHOWN_OF, part.values, strict=True):
            known = costs[part.session_id][dimension]
            if value:
                known[value] = known.get(value, 0) + part.cost_pusd
    return [
        Session(
            sums=one,
            costs={
                dimension: dict(sorted(values.items(), key=lambda pair: (-pair[1], pair[0])))
                for dimension, values in costs[one.session_id].items()
            },
        )
        for one in found
    ]
