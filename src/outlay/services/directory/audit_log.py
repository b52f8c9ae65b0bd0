"""The audit trail: reading and independent verification."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from outlay.domain.actor import Actor, Channel
from outlay.domain.audit import (
    GENESIS,
    PERSONAL_MARK,
    Action,
    AuditEntry,
    AuditFilter,
    Value,
    personal_digest,
)
from outlay.domain.errors import Invalid
from outlay.domain.ids import OrganizationId
from outlay.domain.organization import operator_of
from outlay.domain.policy import Permission, permit
from outlay.kit.logs import was_logged
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.storage.checkpoints import Checkpoint, read_checkpoints
from outlay.storage.directory.audit import (
    chained_organizations,
    list_ends,
    list_entries,
    personal_values,
    read_chain,
)
from outlay.storage.directory.digests import Fault, covered_tables
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.members import list_members
from outlay.storage.directory.organizations import list_organizations
from outlay.storage.directory.session import ReadSession

end_log = logging.getLogger("outlay.audit")
"""Logger for the ends of the chains; the server enables it."""

ERASED: Final = "(erased)"
MAX_FAULTS: Final = 100
"""Most faults in a report."""
_PAGE: Final = 500
_DESTROYING: Final = frozenset({Action.MEMBER_ERASE, Action.RETENTION_APPLY})
"""Actions that may destroy personal values, and list them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """An entry for display."""

    entry: AuditEntry
    author: str
    """The name of its author."""
    before: Mapping[str, Value] | None
    after: Mapping[str, Value] | None


def parse_expected(text: str) -> tuple[int, bytes]:
    """Number and digest of an entry, written as `42:9f…`; raises Invalid for anything else."""
    number, _, digest = text.partition(":")
    try:
        found = bytes.fromhex(digest)
    except ValueError:
        found = b""
    if not number.isdecimal() or len(found) != len(GENESIS):
        raise Invalid(
            "An expected entry must have the form NUMBER:DIGEST, as `outlay audit verify` prints "
            f"it, not {text!r}.",
            field="expect",
        )
    return int(number), found


@dataclass(slots=True)
class AuditReport:
    """The result of a verification."""

    entries: int = 0
    organizations: int = 0
    checkpoints: int = 0
    unsigned: int = 0
    """Entries after the last checkpoint."""
    unfinished: int = 0
    """Incomplete checkpoints, as left by a power failure; later ones cover their entries."""
    ends: list[Checkpoint] = field(default_factory=list)
    """The end of each organization's chain."""
    faults: list[str] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        """Whether everything is as it was recorded."""
        return not self.faults

    def blame(self, fault: str) -> None:
        """Record a fault."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(fault)


class Audit:
    """Reads and verifies the trail."""

    def __init__(
        self, directory: Directory, audited: AuditedChanges, checkpoints: Path, public_key: str
    ) -> None:
        """`public_key` is the expected public key of the checkpoints, in hexadecimal."""
        self._directory = directory
        self._audited = audited
        self._checkpoints = checkpoints
        self.public_key = public_key
        self._logged: dict[str, bytes] = {}
        """Digest of the last logged entry, by organization."""

    # Reading

    def page(
        self, actor: Actor, wanted: AuditFilter, *, before_number: int | None, limit: int
    ) -> list[ShownEntry]:
        """Up to `limit` entries of the actor's organization before a number, newest first."""
        permit(actor, Permission.AUDIT_READ)
        with self._directory.read() as session:
            entries = list_entries(
                session,
                actor.organization_id,
                wanted,
                before_number=before_number,
                limit=limit,
            )
            return _readable(session, actor, entries)

    def all(self, actor: Actor, wanted: AuditFilter) -> Iterator[ShownEntry]:
        """All matching entries, newest first."""
        permit(actor, Permission.AUDIT_READ)
        before: int | None = None
        while page := self.page(actor, wanted, before_number=before, limit=_PAGE):
            yield from page
            before = page[-1].entry.number

    def log_ends(self) -> None:
        """Log the ends of chains that have grown, one line each.

        A log that is kept elsewhere reveals a truncated trail. The database and the checkpoint file
        cannot, if both are truncated. A line that nobody reads is dropped instead of holding up the
        caller, and logged again the next time.
        """
        with self._directory.read() as session:
            ends = list_ends(session)
        for end in ends:
            if self._logged.get(end.organization_id) != end.digest:
                fields = {
                    "organization": end.organization_id,
                    "number": end.number,
                    "digest": end.digest.hex(),
                    "timeUs": end.time_us,
                }
                if was_logged(end_log, "audit trail ends", fields):
                    self._logged[end.organization_id] = end.digest

    # Verification

    def verify(
        self, public_key: str | None = None, expected: Sequence[tuple[int, bytes]] = ()
    ) -> AuditReport:
        """Check the trail, and every other row of the directory against its digest.

        `expected` are numbers and digests of entries, recorded elsewhere.
        """
        report = self.verify_trail(public_key, expected)
        for table in covered_tables():
            for fault in self._directory.faults(table):
                report.blame(str(fault))
        return report

    def verify_trail(
        self, public_key: str | None = None, expected: Sequence[tuple[int, bytes]] = ()
    ) -> AuditReport:
        """Check every chain, its personal values and the signed checkpoints."""
        report = AuditReport()
        signed = self._read_checkpoints(public_key or self.public_key, report)
        with self._directory.read() as session:
            organizations = sorted({*chained_organizations(session), *signed})
            report.organizations = len(organizations)
            missing = set(expected)
            for organization_id in organizations:
                known = signed.get(organization_id, {})
                for found in _verify_chain(session, organization_id, known, report):
                    missing.discard(found)
        for number, digest in sorted(missing):
            report.blame(f"entry {number} with digest {digest.hex()} is expected but missing")
        return report

    def accept(self) -> list[Fault]:
        """Accept the directory as it is, and audit the accepted differences.

        For rows that were changed in the database on purpose.
        """
        faults = [fault for table in covered_tables() for fault in self._directory.faults(table)]
        if not faults:
            return []
        with self._directory.read() as session:
            organizations = list_organizations(session)
        listed = [str(fault) for fault in faults[:MAX_FAULTS]]
        for organization in organizations:
            operator = operator_of(organization)
            with self._audited.change(operator, Permission.ORGANIZATION_WRITE) as change:
                change.note(
                    Action.DIRECTORY_ACCEPT,
                    organization.organization_id,
                    after={"faults": listed, "count": len(faults)},
                )
        return self._directory.accept()

    def _read_checkpoints(
        self, public_key: str, report: AuditReport
    ) -> dict[OrganizationId, dict[int, Checkpoint]]:
        signed: dict[OrganizationId, dict[int, Checkpoint]] = {}
        try:
            for line, checkpoint, is_unfinished in read_checkpoints(self._checkpoints, public_key):
                if is_unfinished:
                    report.unfinished += 1
                    continue
                if checkpoint is None:
                    report.blame(f"checkpoint {line} does not match its signature")
                    continue
                report.checkpoints += 1
                known = signed.setdefault(checkpoint.organization_id, {})
                earlier = known.setdefault(checkpoint.number, checkpoint)
                if earlier.digest != checkpoint.digest:
                    report.blame(
                        f"checkpoint {line} contradicts an earlier one of entry {checkpoint.number}"
                    )
        except FileNotFoundError:
            pass  # nothing has been signed: reported for each chain with entries
        except ValueError as error:
            raise Invalid(
                "`publicKey` must be 64 hexadecimal digits.", field="publicKey"
            ) from error
        return signed


def _verify_chain(
    session: ReadSession,
    organization_id: OrganizationId,
    signed: Mapping[int, Checkpoint],
    report: AuditReport,
) -> Iterator[tuple[int, bytes]]:
    """Check one chain; yields the number and digest of each entry."""
    previous, expected = GENESIS, 1
    named: dict[str, int] = {}
    erased: set[str] = set()
    for number, entry in read_chain(session, organization_id):
        place = f"{organization_id}, entry {number}"
        if number != expected:
            report.blame(f"{organization_id}, entry {expected} is missing")
        expected = number + 1
        report.entries += 1
        if entry is None:
            report.blame(f"{place} is not readable")
            continue
        if entry.digest_after(previous) != entry.digest:
            report.blame(f"{place} or the chain before it differs from what was recorded")
        checkpoint = signed.get(number)
        if checkpoint is not None and checkpoint.digest != entry.digest:
            report.blame(f"{place} does not match its signed checkpoint")
        previous = entry.digest
        yield number, entry.digest
        for digest in _personal_digests(entry):
            named[digest] = number
        if entry.action in _DESTROYING and entry.after:
            destroyed = entry.after.get("destroyed")
            erased.update(destroyed if isinstance(destroyed, list) else ())
    _verify_end(Checkpoint(organization_id, expected - 1, previous, 0), signed, report)
    _verify_personal(session, organization_id, named, erased, report)


def _verify_end(end: Checkpoint, signed: Mapping[int, Checkpoint], report: AuditReport) -> None:
    """Check that a chain is as long as its signed checkpoints say."""
    covered = max(signed, default=0)
    if end.number:
        report.ends.append(end)
    if covered > end.number:
        report.blame(f"{end.organization_id}, entries {end.number + 1} to {covered} are missing")
    if end.number and not signed:
        report.blame(f"{end.organization_id} has {end.number} entries and no signed checkpoint")
    report.unsigned += max(0, end.number - covered)


def _verify_personal(
    session: ReadSession,
    organization_id: OrganizationId,
    named: Mapping[str, int],
    erased: set[str],
    report: AuditReport,
) -> None:
    digests = [*named]
    for start in range(0, len(digests), _PAGE):
        part = digests[start : start + _PAGE]
        kept = personal_values(session, part)
        for digest in part:
            place = f"{organization_id}, entry {named[digest]}"
            if digest not in kept and digest not in erased:
                report.blame(f"{place}: a personal value is missing without an erasure")
            elif digest in kept and personal_digest(*kept[digest]) != digest:
                report.blame(f"{place}: a personal value is not what was recorded")


def _personal_digests(entry: AuditEntry) -> Iterator[str]:
    for fields in (entry.before, entry.after):
        for name, value in (fields or {}).items():
            if name.endswith(PERSONAL_MARK) and isinstance(value, str):
                yield value


def _readable(session: ReadSession, actor: Actor, entries: list[AuditEntry]) -> list[ShownEntry]:
    digests = [digest for entry in entries for digest in _personal_digests(entry)]
    values = personal_values(session, digests)
    names: dict[str, str] = {
        member.member_id: member.name for member in list_members(session, actor.organization_id)
    }
    return [
        ShownEntry(
            entry=entry,
            author=(
                "Operator"
                if entry.channel == Channel.COMMAND_LINE
                else names.get(entry.author_id, entry.author_id)
            ),
            before=_resolved(entry.before, values),
            after=_resolved(entry.after, values),
        )
        for entry in entries
    ]


def _resolved(
    fields: Mapping[str, Value] | None, values: Mapping[str, tuple[bytes, str]]
) -> dict[str, Value] | None:
    """The fields with their personal values inserted."""
    if fields is None:
        return None
    resolved: dict[str, Value] = {}
    for name, value in fields.items():
        if name.endswith(PERSONAL_MARK) and isinstance(value, str):
            resolved[name.removesuffix(PERSONAL_MARK)] = values.get(value, (b"", ERASED))[1]
        else:
            resolved[name] = value
    return resolved
