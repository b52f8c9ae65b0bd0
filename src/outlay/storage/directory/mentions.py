"""Counting texts that mention a person and that an erasure cannot change."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, String, Table, case, func, or_, select

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.session import ReadSession
from outlay.storage.directory.tables import Base, MemberRow


def count_mentions(
    session: ReadSession, organization_id: OrganizationId, wanted: Sequence[str]
) -> dict[str, int]:
    """The number of rows in which each column contains one of some texts, ignoring case.

    Columns are named `table.column`; those without any are left out.
    """
    found: dict[str, int] = {}
    for table in Base.metadata.sorted_tables:
        is_own = _is_of(table, organization_id)
        columns = [column for column in table.columns if isinstance(column.type, String)]
        if is_own is None or not columns:
            continue
        counts = [func.count(case((_contains(column, wanted), 1))) for column in columns]
        (row,) = session.execute(select(*counts).where(is_own))
        for column, count in zip(columns, row, strict=True):
            if count:
                found[f"{table.name}.{column.name}"] = count
    return found


def _is_of(table: Table, organization_id: OrganizationId) -> ColumnElement[bool] | None:
    """The condition for the organization's rows; None for a table that belongs to no
    organization.
    """
    if "organization_id" in table.columns:
        return table.columns["organization_id"] == organization_id
    if "member_id" in table.columns:
        members = select(MemberRow.member_id).where(MemberRow.organization_id == organization_id)
        return table.columns["member_id"].in_(members)
    return None


def _contains(column: ColumnElement[str], wanted: Sequence[str]) -> ColumnElement[bool]:
    # SQLite folds the case of ASCII letters only: others are matched as written.
    return or_(
        *(column.contains(text, autoescape=True) for text in wanted),
        *(func.lower(column).contains(text.lower(), autoescape=True) for text in wanted),
    )
