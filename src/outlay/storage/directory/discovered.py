"""Reading and writing discovered entities."""

from collections.abc import Collection, Sequence

from sqlalchemy import Select, delete, func, insert, or_, select, true, update

from outlay.domain.dimension import Dimension
from outlay.domain.discovery import Discovered, Merges
from outlay.domain.ids import OrganizationId
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import DiscoveredRow


def create_discovered(session: WriteSession, entries: Sequence[Discovered]) -> None:
    """Add entries that are new."""
    session.execute(
        insert(DiscoveredRow),
        [
            {
                "discovered_id": entry.discovered_id,
                "organization_id": entry.organization_id,
                "dimension": entry.dimension.value,
                "value": entry.value,
                "name": entry.name,
                "source": entry.source,
                "merged_into": entry.merged_into,
                "created_at_us": entry.created_at_us,
            }
            for entry in entries
        ],
    )


def list_discovered(
    session: ReadSession, organization_id: OrganizationId, dimension: Dimension | None = None
) -> list[Discovered]:
    """Entries of an organization, all or of one dimension, by name."""
    wanted = select(DiscoveredRow).where(DiscoveredRow.organization_id == organization_id)
    if dimension is not None:
        wanted = wanted.where(DiscoveredRow.dimension == dimension.value)
    return _read(session, wanted)


def find_discovered_id(session: ReadSession, discovered_id: str) -> Discovered | None:
    """The entry with an id."""
    found = _read(
        session, select(DiscoveredRow).where(DiscoveredRow.discovered_id == discovered_id)
    )
    return found[0] if found else None


def find_discovered(
    session: ReadSession, organization_id: OrganizationId, dimension: Dimension, called: str
) -> Discovered | None:
    """The entry with this value, or else this id; None if there is none."""
    found = _read(
        session,
        select(DiscoveredRow).where(
            DiscoveredRow.organization_id == organization_id,
            DiscoveredRow.dimension == dimension.value,
            or_(DiscoveredRow.value == called, DiscoveredRow.discovered_id == called),
        ),
    )
    return max(found, key=lambda entry: entry.value == called, default=None)


def search_discovered(
    session: ReadSession,
    organization_id: OrganizationId,
    dimension: Dimension,
    text: str,
    limit: int,
) -> list[Discovered]:
    """Entries that are not merged and whose name or value contains a text, by name."""
    columns = (DiscoveredRow.name, DiscoveredRow.value)
    # SQLite folds the case of ASCII only; for other letters the usual forms are searched.
    forms = {text, text.lower(), text.title(), text.upper()}
    contains = (
        func.lower(column).contains(form.lower() if form.isascii() else form, autoescape=True)
        for column in columns
        for form in forms
    )
    return _read(
        session,
        select(DiscoveredRow)
        .where(
            DiscoveredRow.organization_id == organization_id,
            DiscoveredRow.dimension == dimension.value,
            DiscoveredRow.merged_into == "",
            or_(*contains) if text else true(),
        )
        .limit(limit),
    )


def list_named(
    session: ReadSession,
    organization_id: OrganizationId,
    dimension: Dimension,
    values: Collection[str],
) -> list[Discovered]:
    """The unmerged entries of some values, by name."""
    return _read(
        session,
        select(DiscoveredRow).where(
            DiscoveredRow.organization_id == organization_id,
            DiscoveredRow.dimension == dimension.value,
            DiscoveredRow.merged_into == "",
            DiscoveredRow.value.in_(values),
        ),
    )


def _read(session: ReadSession, wanted: Select[DiscoveredRow]) -> list[Discovered]:
    """The entries that a query finds, by name."""
    rows = session.scalars(wanted.order_by(DiscoveredRow.name, DiscoveredRow.value))
    return [
        Discovered(
            discovered_id=row.discovered_id,
            organization_id=row.organization_id,
            dimension=Dimension(row.dimension),
            value=row.value,
            name=row.name,
            source=row.source,
            merged_into=row.merged_into,
            created_at_us=row.created_at_us,
        )
        for row in rows
    ]


def list_values(
    session: ReadSession, organization_id: OrganizationId
) -> list[tuple[Dimension, str]]:
    """The dimension and value of each entry of an organization."""
    found = session.execute(
        select(DiscoveredRow.dimension, DiscoveredRow.value).where(
            DiscoveredRow.organization_id == organization_id
        )
    )
    return [(Dimension(dimension), value) for dimension, value in found]


def list_merges(session: ReadSession, organization_id: OrganizationId) -> Merges:
    """The merges of an organization."""
    found = session.execute(
        select(DiscoveredRow.dimension, DiscoveredRow.value, DiscoveredRow.merged_into).where(
            DiscoveredRow.organization_id == organization_id, DiscoveredRow.merged_into != ""
        )
    )
    return Merges.of_triples(
        (Dimension(dimension), value, target) for dimension, value, target in found
    )


def rename_discovered(session: WriteSession, entry: Discovered, name: str) -> None:
    """Rename an entry."""
    session.execute(
        update(DiscoveredRow)
        .where(DiscoveredRow.discovered_id == entry.discovered_id)
        .values(name=name)
    )


def merge_discovered(session: WriteSession, entry: Discovered, target: str) -> None:
    """Merge an entry, and everything merged into it, into another value; unmerge it if empty."""
    session.execute(
        update(DiscoveredRow)
        .where(DiscoveredRow.discovered_id == entry.discovered_id)
        .values(merged_into=target)
    )
    if target:
        session.execute(
            update(DiscoveredRow)
            .where(
                DiscoveredRow.organization_id == entry.organization_id,
                DiscoveredRow.dimension == entry.dimension.value,
                DiscoveredRow.merged_into == entry.value,
            )
            .values(merged_into=target)
        )


def forget_discovered(
    session: WriteSession, organization_id: OrganizationId, who: str
) -> list[str]:
    """Delete users with a name or address, ignoring case; returns the deleted ids."""
    claim = who.lower()
    gone = session.execute(
        delete(DiscoveredRow)
        .where(
            DiscoveredRow.organization_id == organization_id,
            DiscoveredRow.dimension == Dimension.USER.value,
            or_(func.lower(DiscoveredRow.value) == claim, func.lower(DiscoveredRow.name) == claim),
        )
        .returning(DiscoveredRow.discovered_id)
    )
    return list(gone.scalars())
