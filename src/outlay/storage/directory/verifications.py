"""Reading and writing the outcome of the last verification."""

from sqlalchemy import delete

from outlay.domain.result import Reconciliation
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import VerificationRow


def find_verification(session: ReadSession) -> tuple[Reconciliation, int] | None:
    """The outcome and when it was, in µs since the epoch; None before the first."""
    row = session.get(VerificationRow, 1)
    return (Reconciliation(row.outcome), row.verified_at_us) if row else None


def put_verification(session: WriteSession, outcome: Reconciliation, verified_at_us: int) -> None:
    """Put an outcome in the place of the one before."""
    session.execute(delete(VerificationRow))
    session.add(VerificationRow(only=1, outcome=outcome.value, verified_at_us=verified_at_us))
