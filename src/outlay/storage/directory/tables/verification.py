"""Table with the result of the last verification."""

from sqlalchemy.orm import Mapped, mapped_column

from outlay.storage.directory.tables.base import Base


class VerificationRow(Base):
    """A single row for all processes: whether ledger and cube matched at the last comparison."""

    __tablename__ = "verification"

    only: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outcome: Mapped[str]
    verified_at_us: Mapped[int]
    events: Mapped[int]
    through_seq: Mapped[int]
    through_us: Mapped[int]
    finding: Mapped[str]
