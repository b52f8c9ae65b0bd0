"""Conversations and runs of agents."""

from outlay.web.http.answers.base import Answer, Instant
from outlay.web.http.answers.periods import FreshMeta, PeriodMeta
from outlay.wire.json_money import Money


class Labelled(Answer):
    """An id, and the name it has in the directory; the id again without one."""

    id: str
    label: str


class SessionTotals(Answer):
    """The measures of sessions."""

    request_count: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost: Money
    error_count: int
    client_error_count: int


class _SessionHead(Answer):
    session_id: str
    first_request_at: Instant
    last_request_at: Instant
    duration_seconds: int


class Session(SessionTotals, _SessionHead):
    """A session, and the values that its requests have."""

    models: list[Labelled]
    projects: list[Labelled]
    api_keys: list[Labelled]
    users: list[Labelled]
    apps: list[Labelled]


class SessionPage(Answer):
    """A page of sessions."""

    sessions: list[Session]
    page: int
    page_size: int
    session_count: int
    totals: SessionTotals
    meta: PeriodMeta


class ModelCost(Answer):
    """What a model cost."""

    model: str
    cost: Money


class SessionAnswer(Session):
    """A session from its first request to its last."""

    cost_by_model: list[ModelCost]
    meta: FreshMeta
