"""Table with the progress of the scrub."""

from sqlalchemy.orm import Mapped, mapped_column

from outlay.storage.directory.tables.base import Base


class ScrubRow(Base):
    """A single row for all nodes: progress and findings of the scrub."""

    __tablename__ = "scrub"

    only: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    begun_at_us: Mapped[int | None]
    """None between two rounds."""
    stage: Mapped[int]
    position: Mapped[int]
    faults: Mapped[str]
    """JSON, of the current round."""
    finished_at_us: Mapped[int | None]
    """The end of the last round."""
    found: Mapped[str]
    """JSON, of the last round."""
