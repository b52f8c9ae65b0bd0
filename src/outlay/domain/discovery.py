"""What reports name and nobody has set up here: discovered projects, API keys, users and groups.

Events keep for ever what was reported. What a value is called, and which other one it is the same
as, stands beside them and may change at any time; no number changes with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.ids import ApiKeyId, MemberId, OrganizationId, ProjectId
from outlay.domain.organization import ApiKey, Project
from outlay.domain.tag import Tag

DISCOVERABLE: Final = (
    Dimension.PROJECT,
    Dimension.API_KEY,
    Dimension.USER,
    Dimension.GROUP,
)
"""Dimensions whose values are of the directory."""

MAX_DISCOVERED: Final = 10_000
"""Most entries of one dimension: a sender that puts request ids in the place of names must not
fill the directory. Further values are counted as any other, under their own id."""


@dataclass(frozen=True)
class Merges:
    """Per dimension, which value each merged one counts as; targets are never merged themselves.

    Hashable, as part of a question.
    """

    triples: tuple[tuple[Dimension, str, str], ...] = ()
    """Dimension, merged value, target; sorted."""
    _targets: Mapping[Dimension, Mapping[str, str]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def of_triples(cls, triples: Iterable[tuple[Dimension, str, str]]) -> "Merges":
        """Merges in any order."""
        ordered = tuple(sorted(triples))
        targets: dict[Dimension, dict[str, str]] = {}
        for dimension, value, target in ordered:
            targets.setdefault(dimension, {})[value] = target
        return cls(ordered, targets)

    def of(self, dimension: Grouping) -> Mapping[str, str]:
        """Target by merged value of a dimension."""
        return {} if isinstance(dimension, Tag) else self._targets.get(dimension, {})

    def target(self, dimension: Grouping, value: str) -> str:
        """The value that a value counts as: most often itself."""
        return self.of(dimension).get(value, value)

    def with_merged(self, dimension: Grouping, values: Sequence[str]) -> tuple[str, ...]:
        """Targets, and all values that count as one of them."""
        wanted = {self.target(dimension, value) for value in values}
        merged = [value for value, target in self.of(dimension).items() if target in wanted]
        return tuple(sorted(wanted)) + tuple(sorted(merged))


NO_MERGES: Final = Merges()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """A value that reports named first."""

    discovered_id: str
    organization_id: OrganizationId
    dimension: Dimension
    value: str
    """As it stands in the events."""
    name: str
    """What to call it."""
    source: str
    """What named it first, `litellm`."""
    created_at_us: int
    merged_into: str = ""
    """The value it counts as; empty when it stands for itself."""

    def as_project(self) -> Project:
        """A project of which nothing is known but this."""
        return Project(
            project_id=ProjectId(self.value),
            organization_id=self.organization_id,
            name=self.name,
            created_at_us=self.created_at_us,
            discovered_id=self.discovered_id,
        )

    def as_key(self) -> ApiKey:
        """An API key of which nothing is known but this."""
        return ApiKey(
            api_key_id=ApiKeyId(self.value),
            organization_id=self.organization_id,
            project_id=ProjectId(""),
            member_id=MemberId(""),
            description=self.name,
            created_at_us=self.created_at_us,
            discovered_id=self.discovered_id,
        )
