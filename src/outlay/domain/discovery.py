"""Discovered entities: projects, API keys, users and groups that are known from reports only.

Events keep what was reported. The display name of a reported value and the value it is merged into
are stored separately and can change at any time; no total depends on them.
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
"""Dimensions whose values are directory entities."""

MAX_DISCOVERED: Final = 10_000
"""Maximum number of entities per dimension, so that a sender which puts request ids in place of
names cannot fill the directory. Further values are counted under their own id, like any other."""


@dataclass(frozen=True)
class Merges:
    """Per dimension, which value each merged value counts as; targets are never merged themselves.

    Hashable, because it is part of a query.
    """

    triples: tuple[tuple[Dimension, str, str], ...] = ()
    """(dimension, merged value, target), sorted."""
    _targets: Mapping[Dimension, Mapping[str, str]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def of_triples(cls, triples: Iterable[tuple[Dimension, str, str]]) -> "Merges":
        """Merges from triples in any order."""
        ordered = tuple(sorted(triples))
        targets: dict[Dimension, dict[str, str]] = {}
        for dimension, value, target in ordered:
            targets.setdefault(dimension, {})[value] = target
        return cls(ordered, targets)

    def of(self, dimension: Grouping) -> Mapping[str, str]:
        """Target by merged value of a dimension."""
        return {} if isinstance(dimension, Tag) else self._targets.get(dimension, {})

    def target(self, dimension: Grouping, value: str) -> str:
        """The value that a value counts as, which is itself unless it is merged."""
        return self.of(dimension).get(value, value)

    def with_merged(self, dimension: Grouping, values: Sequence[str]) -> tuple[str, ...]:
        """The given targets and all values that are merged into them."""
        wanted = {self.target(dimension, value) for value in values}
        merged = [value for value, target in self.of(dimension).items() if target in wanted]
        return tuple(sorted(wanted)) + tuple(sorted(merged))


NO_MERGES: Final = Merges()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """An entity first seen in a report."""

    discovered_id: str
    organization_id: OrganizationId
    dimension: Dimension
    value: str
    """The value as it is in events."""
    name: str
    """Its display name."""
    source: str
    """The source that reported it first, such as `litellm`."""
    created_at_us: int
    merged_into: str = ""
    """The value it is merged into; empty if it is not merged."""

    def as_project(self) -> Project:
        """The entity as a project without further properties."""
        return Project(
            project_id=ProjectId(self.value),
            organization_id=self.organization_id,
            name=self.name,
            created_at_us=self.created_at_us,
            discovered_id=self.discovered_id,
        )

    def as_key(self) -> ApiKey:
        """The entity as an API key without further properties."""
        return ApiKey(
            api_key_id=ApiKeyId(self.value),
            organization_id=self.organization_id,
            project_id=ProjectId(""),
            member_id=MemberId(""),
            description=self.name,
            created_at_us=self.created_at_us,
            discovered_id=self.discovered_id,
        )
