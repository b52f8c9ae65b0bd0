"""Reported and computed costs."""

from msgspec import UNSET, UnsetType

from outlay.web.http.answers.base import Answer
from outlay.web.http.answers.periods import Meta
from outlay.wire.json_money import Money


class CostComparison(Answer):
    """Reported and computed cost of the requests that have both, and the reported cost of others.

    `driftShare` is `costDrift` as a fraction of the computed cost.
    """

    reported_cost_request_count: int
    reported_cost: Money
    compared_request_count: int
    compared_reported_cost: Money
    computed_cost: Money
    cost_drift: Money | None
    drift_share: float | None
    uncompared_request_count: int
    uncompared_reported_cost: Money


class _Provider(Answer):
    provider: str | None


class ProviderCosts(CostComparison, _Provider):
    """The costs of one provider."""


class _Model(Answer):
    provider: str | None
    model: str | None


class ModelCosts(CostComparison, _Model):
    """The costs of one model of one provider."""


class _Kind(Answer):
    kind: str | None


class KindCosts(CostComparison, _Kind):
    """The costs of requests with one kind of usage. A request is in the row of each of them."""


class CostComparisonTotals(CostComparison):
    """The costs of all requests."""

    earlier: CostComparison | UnsetType = UNSET


class ReportedCosts(Answer):
    """Reported and computed costs, by provider, model and kind of usage."""

    providers: list[ProviderCosts]
    models: list[ModelCosts]
    kinds: list[KindCosts]
    totals: CostComparisonTotals
    meta: Meta
