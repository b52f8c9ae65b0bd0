"""Reading and writing the result of the last verification."""

from sqlalchemy import delete

from outlay.domain.verification import VerificationState, Verified
from outlay.kit.clock import from_us, to_us
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import VerificationRow


def find_verification(session: ReadSession) -> Verified | None:
    """The result; None before the first verification."""
    row = session.get(VerificationRow, 1)
    if row is None:
        return None
    return Verified(
        state=VerificationState(row.outcome),
        at=from_us(row.verified_at_us),
        events=row.events,
        through_seq=row.through_seq,
        through=from_us(row.through_us) if row.through_us else None,
        finding=row.finding,
    )


def put_verification(session: WriteSession, found: Verified) -> None:
    """Replace the stored result."""
    if found.at is None:
        raise ValueError("an outcome has a time")
    session.execute(delete(VerificationRow))
    session.add(
        VerificationRow(
            only=1,
            outcome=found.state.value,
            verified_at_us=to_us(found.at),
            events=found.events,
            through_seq=found.through_seq,
            through_us=to_us(found.through) if found.through else 0,
            finding=found.finding,
        )
    )
