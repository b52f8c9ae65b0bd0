"""The audit trail: read by people, verified by whoever does not trust them."""

import json
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
from outlay.services.directory.changes import Trail
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
"""Where the ends of the trail are kept; a server turns it on."""

ERASED: Final = "(erased)"
MAX_FAULTS: Final = 100
"""Faults that a report names; there may be more."""
_PAGE: Final = 500
_DESTROYING: Final = frozenset({Action.MEMBER_ERASE, Action.RETENTION_APPLY})
"""What may destroy personal values, and says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """An entry as people read it."""

    entry: AuditEntry
    author: str
    """The name of who did it."""
    before: Mapping[str, Value] | None
    after: Mapping[str, Value] | None


def parse_expected(text: str) -> tuple[int, bytes]:
    """The number and the digest of an entry, written as `42:9f…`; Invalid for anything else."""
    number, _, digest = text.partition(":")
    try:
        found = bytes.fromhex(digest)
    except ValueError:
        found = b""
    if not number.isdecimal() or len(found) != len(GENESIS):
        raise Invalid(
            f"an expected entry is NUMBER:DIGEST, as `outlay audit verify` prints it, not {text!r}",
            field="expect",
        )
    return int(number), found


@dataclass(slots=True)
class AuditReport:
    """What a verification found."""

    entries: int = 0
    organizations: int = 0
    checkpoints: int = 0
    unsigned: int = 0
    """Entries that no checkpoint covers yet."""
    unfinished: int = 0
    """Checkpoints that were not written to their end, as in a power cut; later ones cover them."""
    ends: list[Checkpoint] = field(default_factory=list)
    """Where the chain of each organization ends."""
    faults: list[str] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        """Whether everything is as it was recorded."""
        return not self.faults

    def blame(self, fault: str) -> None:
        """Note a fault."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(fault)


class Audit:
    """Reads and verifies the trail."""

    def __init__(
        self, directory: Directory, trail: Trail, checkpoints: Path, public_key: str
    ) -> None:
        """`public_key` is what the checkpoints in the file must be signed for, hexadecimal."""
        self._directory = directory
        self._trail = trail
        self._checkpoints = checkpoints
        self.public_key = public_key
        self._logged: dict[str, bytes] = {}
        """Digest of the last entry in the log, by organization."""

    # Reading

    def page(
        self, actor: Actor, wanted: AuditFilter, *, before_number: int | None, limit: int
    ) -> list[ShownEntry]:
        """Up to `limit` entries of the actor's organization, newest first, before a number."""
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
        """Every entry that is wanted, newest first."""
        permit(actor, Permission.AUDIT_READ)
        before: int | None = None
        while page := self.page(actor, wanted, before_number=before, limit=_PAGE):
            yield from page
            before = page[-1].entry.number

    def log_ends(self) -> None:
        """Write the ends of the chains that have grown to the log, a line of JSON each.

        A log that is kept elsewhere tells when the end of a trail was cut off. The database and the
        file of checkpoints cannot, where somebody cuts both.
        """
        with self._directory.read() as session:
            ends = list_ends(session)
        for end in ends:
            if self._logged.get(end.organization_id) != end.digest:
                self._logged[end.organization_id] = end.digest
                line = {
                    "organization": end.organization_id,
                    "number": end.number,
                    "digest": end.digest.hex(),
                    "time": end.time_us,
                }
                end_log.info("audit trail ends at %s", json.dumps(line))

    # Verifying

    def verify(
        self, public_key: str | None = None, expected: Sequence[tuple[int, bytes]] = ()
    ) -> AuditReport:
        """Check the trail, and every row of the rest of the directory against its digest.

        `expected` are entries that somebody knows of from elsewhere: their numbers and digests.
        """
        report = self.verify_trail(public_key, expected)
        for table in covered_tables():
            for fault in self._directory.faults(table):
                report.blame(str(fault))
        return report

    def verify_trail(
        self, public_key: str | None = None, expected: Sequence[tuple[int, bytes]] = ()
    ) -> AuditReport:
        """Check every chain against itself, its personal values and the signed checkpoints."""
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
            report.blame(f"entry {number} with digest {digest.hex()} is expected and not there")
        return report

    def accept(self) -> list[Fault]:
        """Take the directory as it is for what was written, and put on record what was not.

        For rows that somebody changed in the database itself, and meant to.
        """
        faults = [fault for table in covered_tables() for fault in self._directory.faults(table)]
        if not faults:
            return []
        with self._directory.read() as session:
            organizations = list_organizations(session)
        told = [str(fault) for fault in faults[:MAX_FAULTS]]
        for organization in organizations:
            operator = operator_of(organization)
            with self._trail.change(operator, Permission.ORGANIZATION_WRITE) as change:
                change.note(
                    Action.DIRECTORY_ACCEPT,
                    organization.organization_id,
                    after={"faults": told, "count": len(faults)},
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
                    report.blame(f"checkpoint {line} is not what was signed")
                    continue
                report.checkpoints += 1
                known = signed.setdefault(checkpoint.organization_id, {})
                earlier = known.setdefault(checkpoint.number, checkpoint)
                if earlier.digest != checkpoint.digest:
                    report.blame(
                        f"checkpoint {line} contradicts an earlier one of entry {checkpoint.number}"
                    )
        except FileNotFoundError:
            pass  # nothing has been signed: said of each chain that has entries
        except ValueError as error:
            raise Invalid("the public key is 64 hexadecimal digits", field="publicKey") from error
        return signed


def _verify_chain(
    session: ReadSession,
    organization_id: OrganizationId,
    signed: Mapping[int, Checkpoint],
    report: AuditReport,
) -> Iterator[tuple[int, bytes]]:
    """Check one chain; the number and the digest of each entry on the way."""
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
            report.blame(f"{place} is not what was recorded, or what came before it is not")
        checkpoint = signed.get(number)
        if checkpoint is not None and checkpoint.digest != entry.digest:
            report.blame(f"{place} is not what a checkpoint was signed for")
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
    """Check that a chain reaches as far as was signed."""
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
                report.blame(f"{place}: a personal value is missing that nobody erased")
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
    """The fields with personal values in their places."""
    if fields is None:
        return None
    resolved: dict[str, Value] = {}
    for name, value in fields.items():
        if name.endswith(PERSONAL_MARK) and isinstance(value, str):
            resolved[name.removesuffix(PERSONAL_MARK)] = values.get(value, (b"", ERASED))[1]
        else:
            resolved[name] = value
    return resolved
