"""Reading and writing span marks."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, and_, delete, select, tuple_

from outlay.domain.ids import OrganizationId
from outlay.domain.span_mark import SpanKey, SpanMark
from outlay.kit.batches import batched
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import SpanMarkRow

AT_ONCE = 400
"""Spans in one statement."""


def find_marks(
    session: ReadSession, organization_id: OrganizationId, keys: Collection[SpanKey]
) -> dict[SpanKey, SpanMark]:
    """The marks of some spans; unknown spans are absent."""
    found: dict[SpanKey, SpanMark] = {}
    for some in batched(sorted(keys), AT_ONCE):
        rows = session.execute(
            select(SpanMarkRow.trace_id, SpanMarkRow.span_id, SpanMarkRow.mark).where(
                _among(organization_id, some)
            )
        )
        found.update({(trace_id, span_id): SpanMark(mark) for trace_id, span_id, mark in rows})
    return found


def put_marks(
    session: WriteSession,
    organization_id: OrganizationId,
    marks: Mapping[SpanKey, SpanMark],
    created_at_us: int,
) -> None:
    """Store marks, replacing those of the same spans."""
    for some in batched(sorted(marks.items()), AT_ONCE):
        session.execute(
            delete(SpanMarkRow).where(_among(organization_id, [key for key, _ in some]))
        )
        session.add_all(
            SpanMarkRow(
                organization_id=organization_id,
                trace_id=trace_id,
                span_id=span_id,
                mark=mark.value,
                created_at_us=created_at_us,
            )
            for (trace_id, span_id), mark in some
        )
        session.flush()


def drop_marks(session: WriteSession, before_us: int) -> None:
    """Delete older marks."""
    session.execute(delete(SpanMarkRow).where(SpanMarkRow.created_at_us < before_us))


def _among(organization_id: OrganizationId, keys: Sequence[SpanKey]) -> ColumnElement[bool]:
    return and_(
        SpanMarkRow.organization_id == organization_id,
        tuple_(SpanMarkRow.trace_id, SpanMarkRow.span_id).in_(keys),
    )
