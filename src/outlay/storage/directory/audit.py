"""Reading and writing the audit trail."""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace

from sqlalchemy import ColumnElement, delete, select

from outlay.domain.actor import Channel
from outlay.domain.audit import (
    GENESIS,
    PERSONAL_MARK,
    Action,
    AuditEntry,
    AuditFilter,
    Personal,
    Value,
    personal_digest,
)
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged
from outlay.domain.ids import OrganizationId
from outlay.storage.checkpoints import Checkpoint
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import AuditEntryRow, OrganizationRow, PersonalValueRow

Fields = Mapping[str, Value | Personal]


def append_entry(
    session: WriteSession, entry: AuditEntry, before: Fields | None, after: Fields | None
) -> AuditEntry:
    """Append an entry to the chain; assigns its number, digest and fields."""
    last = find_end(session, entry.organization_id)
    numbered = replace(
        entry,
        number=last.number + 1 if last else 1,
        before=_set_aside(session, before),
        after=_set_aside(session, after),
    )
    complete = replace(numbered, digest=numbered.digest_after(last.digest if last else GENESIS))
    session.add(
        AuditEntryRow(
            organization_id=complete.organization_id,
            number=complete.number,
            time_us=complete.time_us,
            channel=complete.channel.value,
            author_id=complete.author_id,
            credential_id=complete.credential_id,
            request_id=complete.request_id,
            action=complete.action.value,
            target=complete.target,
            before=_dump(complete.before),
            after=_dump(complete.after),
            digest=complete.digest,
        )
    )
    session.flush()
    return complete


def find_end(session: ReadSession, organization_id: OrganizationId) -> Checkpoint | None:
    """The end of an organization's chain, None if it is empty."""
    row = session.scalars(
        select(AuditEntryRow)
        .where(AuditEntryRow.organization_id == organization_id)
        .order_by(AuditEntryRow.number.desc())
        .limit(1)
    ).first()
    return Checkpoint(organization_id, row.number, row.digest, row.time_us) if row else None


def list_ends(session: ReadSession) -> list[Checkpoint]:
    """The ends of all organizations' chains."""
    organizations = session.scalars(select(OrganizationRow.organization_id))
    found = [find_end(session, organization_id) for organization_id in organizations]
    return [end for end in found if end is not None]


def _set_aside(session: WriteSession, fields: Fields | None) -> dict[str, Value] | None:
    """The fields in the form of an entry; personal values are stored separately."""
    if fields is None:
        return None
    kept: dict[str, Value] = {}
    for name, value in fields.items():
        if not isinstance(value, Personal):
            kept[name] = value
            continue
        nonce = secrets.token_bytes(16)
        digest = personal_digest(nonce, value.value)
        row = PersonalValueRow(
            digest=digest, subject_id=value.subject_id, nonce=nonce, value=value.value
        )
        session.add(row)
        kept[name + PERSONAL_MARK] = digest
    return kept


def list_entries(
    session: ReadSession,
    organization_id: OrganizationId,
    wanted: AuditFilter | None = None,
    *,
    before_number: int | None = None,
    limit: int,
) -> list[AuditEntry]:
    """Up to `limit` entries before a number, newest first."""
    conditions = [AuditEntryRow.organization_id == organization_id, *_conditions(wanted)]
    if before_number is not None:
        conditions.append(AuditEntryRow.number < before_number)
    rows = session.scalars(
        select(AuditEntryRow).where(*conditions).order_by(AuditEntryRow.number.desc()).limit(limit)
    )
    return [_readable(row) for row in rows]


def _readable(row: AuditEntryRow) -> AuditEntry:
    try:
        return _from_row(row)
    except ValueError as error:
        raise Damaged(
            f"audit entry {row.number} cannot be read ({error}); run `outlay audit verify`",
            code=ErrorCode.DIRECTORY_DAMAGED,
        ) from error


def _conditions(wanted: AuditFilter | None) -> list[ColumnElement[bool]]:
    if wanted is None:
        return []
    conditions: list[ColumnElement[bool]] = []
    if wanted.author_id is not None:
        conditions.append(AuditEntryRow.author_id == wanted.author_id)
    if wanted.actions:
        conditions.append(AuditEntryRow.action.in_(wanted.actions))
    if wanted.target is not None:
        conditions.append(AuditEntryRow.target == wanted.target)
    if wanted.from_us is not None:
        conditions.append(AuditEntryRow.time_us >= wanted.from_us)
    if wanted.until_us is not None:
        conditions.append(AuditEntryRow.time_us < wanted.until_us)
    return conditions


def read_chain(
    session: ReadSession, organization_id: OrganizationId
) -> Iterator[tuple[int, AuditEntry | None]]:
    """Every entry of an organization by number, oldest first; None for an unreadable one."""
    rows = session.scalars(
        select(AuditEntryRow)
        .where(AuditEntryRow.organization_id == organization_id)
        .order_by(AuditEntryRow.number)
        .execution_options(yield_per=1_000)
    )
    for row in rows:
        try:
            yield row.number, _from_row(row)
        except ValueError:
            yield row.number, None


def chained_organizations(session: ReadSession) -> list[OrganizationId]:
    """Ids of the organizations that have entries."""
    return list(session.scalars(select(AuditEntryRow.organization_id).distinct()))


def personal_values(session: ReadSession, digests: list[str]) -> dict[str, tuple[bytes, str]]:
    """Nonce and value by digest, of the personal values that still exist."""
    rows = session.scalars(select(PersonalValueRow).where(PersonalValueRow.digest.in_(digests)))
    return {row.digest: (row.nonce, row.value) for row in rows}


def list_personal_texts(session: ReadSession, subject_ids: list[str]) -> set[str]:
    """The personal values of some persons: the names and addresses they have had."""
    condition = PersonalValueRow.subject_id.in_(subject_ids)
    return set(session.scalars(select(PersonalValueRow.value).where(condition)))


def destroy_personal_values(session: WriteSession, subject_ids: list[str]) -> list[str]:
    """Destroy the personal values of some persons; returns their digests in order."""
    condition = PersonalValueRow.subject_id.in_(subject_ids)
    digests = session.scalars(select(PersonalValueRow.digest).where(condition)).all()
    session.execute(delete(PersonalValueRow).where(condition))
    return sorted(digests)


def _dump(fields: Mapping[str, Value] | None) -> str | None:
    return None if fields is None else json.dumps(fields, ensure_ascii=False)


def _from_row(row: AuditEntryRow) -> AuditEntry:
    return AuditEntry(
        organization_id=row.organization_id,
        number=row.number,
        time_us=row.time_us,
        channel=Channel(row.channel),
        author_id=row.author_id,
        credential_id=row.credential_id,
        request_id=row.request_id,
        action=Action(row.action),
        target=row.target,
        before=None if row.before is None else json.loads(row.before),
        after=None if row.after is None else json.loads(row.after),
        digest=row.digest,
    )
