"""Reading and writing failed sign-ins."""

from typing import NamedTuple

from sqlalchemy import delete, func, select

from outlay.kit.secrets import new_secret
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import SignInFailureRow


class Failures(NamedTuple):
    """The failures of a source."""

    number: int
    newest_us: int
    """The latest failure; 0 for none."""


def create_failures(
    session: WriteSession, sources: tuple[bytes, ...], at_us: int, forget_before_us: int
) -> None:
    """Record a failure of each source, and delete old ones."""
    session.execute(delete(SignInFailureRow).where(SignInFailureRow.at_us < forget_before_us))
    session.add_all(
        SignInFailureRow(failure_id=new_secret(), source=source, at_us=at_us) for source in sources
    )
    session.flush()


def find_failures(session: ReadSession, source: bytes, since_us: int) -> Failures:
    """The failures of a source since an instant."""
    number, newest_us = session.execute(
        select(func.count(), func.max(SignInFailureRow.at_us)).where(
            SignInFailureRow.source == source, SignInFailureRow.at_us >= since_us
        )
    ).one()
    return Failures(number, newest_us or 0)


def delete_failures(session: WriteSession, source: bytes, at_us: int | None = None) -> None:
    """Delete the failures of a source, or those at one instant."""
    doomed = [SignInFailureRow.source == source]
    if at_us is not None:
        doomed.append(SignInFailureRow.at_us == at_us)
    session.execute(delete(SignInFailureRow).where(*doomed))
