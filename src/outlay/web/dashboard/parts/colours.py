"""The colours of a page: one for each value of a dimension, in every metric and card."""

from collections.abc import Iterable, Mapping, Sequence

from outlay.domain.answers import Comparison, Entry
from outlay.domain.dimension import Grouping
from outlay.domain.ids import OrganizationId
from outlay.domain.measure import Rank
from outlay.services.analytics.colours import assign_slots, remember_slots
from outlay.services.bundle import Services
from outlay.web.dashboard.parts.frame import METRICS
from outlay.web.dashboard.parts.ranking import SHOWN, rank_values


def colours_of(
    services: Services,
    organization_id: OrganizationId,
    dimension: Grouping,
    lists: Sequence[Sequence[Entry]],
) -> Mapping[str, int]:
    """The slot of each value of a page; `lists` are the values that are shown together."""
    entries = {entry.key: entry for found in lists for entry in found}
    by_cost = sorted(entries.values(), key=lambda entry: (-entry.total.cost_pusd, entry.key))
    remembered = remember_slots(services.directory, organization_id, dimension, by_cost)
    return assign_slots(
        [entry.key for entry in by_cost],
        remembered,
        [[entry.key for entry in found] for found in lists],
    )


def ranked_in(
    comparison: Comparison, metrics: Iterable[Rank] = METRICS, shown: int = SHOWN
) -> list[list[Entry]]:
    """The values that the rankings of an answer show, by each metric."""
    return [rank_values(comparison, metric)[:shown] for metric in metrics]
