"""Conversations and agent runs."""

from outlay.web.http.answers.base import Answer, Instant
from outlay.web.http.answers.periods import FreshMeta, PeriodMeta
from outlay.wire.json_money import Money


class Labelled(Answer):
    """An id and its name in the directory, or the id again if it has none."""

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
    """A session, with the values of its requests."""

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
    """The cost of a model."""

    model: str
    cost: Money


class SessionAnswer(Session):
    """A session from its first request to its last."""

    cost_by_model: list[ModelCost]
    meta: FreshMeta
