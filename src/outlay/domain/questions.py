"""The questions that the cube answers: each is a value that declares the type of its answer.

`ask(question: Question[A]) -> A` of a snapshot answers all of them. Equal questions have the same
answer, so a question is also the cache key of its answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from outlay.domain.answers import (
    BreakdownRow,
    MeterSums,
    NestedRow,
    Row,
    SessionPart,
    SessionSums,
    SessionTotals,
    Totals,
)
from outlay.domain.dimension import Grouping
from outlay.domain.query import RowQuery, UsageQuery
from outlay.domain.session import SessionQuery

A_co = TypeVar("A_co", covariant=True)


class Question(Generic[A_co]):
    """A question with an answer of type `A_co`. Answers are shared and read-only."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class UsageQuestion(Question[A_co]):
    """A question about the usage of one organization in a period."""

    query: UsageQuery | RowQuery | SessionQuery


# Measures


@dataclass(frozen=True, slots=True)
class StepTotals(UsageQuestion[Mapping[int, Totals]]):
    """Measures by step index, each event counted once; steps without usage are absent."""

    query: UsageQuery


@dataclass(frozen=True, slots=True)
class Groups(UsageQuestion[Sequence[BreakdownRow]]):
    """Measures by step and group: the top groups by name, the rest as Other."""

    query: UsageQuery


@dataclass(frozen=True, slots=True)
class NestedGroups(UsageQuestion[Sequence[NestedRow]]):
    """Measures by step, group and second level, which is ranked and limited within each group."""

    query: UsageQuery
    named: tuple[str, ...]
    """The groups of the first level to break down individually; all others are one group."""


@dataclass(frozen=True, slots=True)
class Rows(UsageQuestion[Iterable[Row]]):
    """Measures by step and combination of dimension values, in that order."""

    query: RowQuery


@dataclass(frozen=True, slots=True)
class DistinctCounts(UsageQuestion[Mapping[int, tuple[int, ...]]]):
    """The number of values of each dimension with usage, by step index; steps without usage are
    absent."""

    query: UsageQuery
    dimensions: tuple[Grouping, ...]


@dataclass(frozen=True, slots=True)
class MeterUsage(UsageQuestion[Sequence[MeterSums]]):
    """Quantity and cost of each meter by step."""

    query: UsageQuery


@dataclass(frozen=True, slots=True)
class Buckets(UsageQuestion[Sequence[tuple[int, int]]]):
    """The buckets with matching requests and their number of requests, newest first."""

    query: UsageQuery


# Latency


@dataclass(frozen=True, slots=True)
class LatencyBins(UsageQuestion[Mapping[int, int]]):
    """Requests by latency bin."""

    query: UsageQuery


@dataclass(frozen=True, slots=True)
class LatencyByStep(UsageQuestion[Mapping[int, Mapping[int, int]]]):
    """Requests by step index and latency bin; steps without usage are absent."""

    query: UsageQuery


@dataclass(frozen=True, slots=True)
class LatencyByValue(UsageQuestion[Mapping[str, Mapping[int, int]]]):
    """Requests by value of a dimension and latency bin; the key is empty without a value."""

    query: UsageQuery
    dimension: Grouping


# Sessions


@dataclass(frozen=True, slots=True)
class SessionList(UsageQuestion[Sequence[SessionSums]]):
    """One page of sessions, in the order of the query."""

    query: SessionQuery


@dataclass(frozen=True, slots=True)
class SessionSummary(UsageQuestion[SessionTotals]):
    """The number of sessions and their sums."""

    query: SessionQuery


@dataclass(frozen=True, slots=True)
class SessionParts(UsageQuestion[Sequence[SessionPart]]):
    """The cost of sessions by model, project, API key, user and app."""

    query: SessionQuery


@dataclass(frozen=True, slots=True)
class SessionBuckets(UsageQuestion[Sequence[tuple[int, int]]]):
    """The buckets with requests of sessions and their number of requests, newest first."""

    query: SessionQuery
