"""Table with the outcome of the last verification."""

from sqlalchemy.orm import Mapped, mapped_column

from outlay.storage.directory.tables.base import Base


class VerificationRow(Base):
    """One row, for all processes: whether ledger and cube agreed when they were last compared."""

    __tablename__ = "verification"

    only: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outcome: Mapped[str]
    verified_at_us: Mapped[int]
    events: Mapped[int]
    through_seq: Mapped[int]
    through_us: Mapped[int]
    finding: Mapped[str]
