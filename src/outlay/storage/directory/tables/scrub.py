"""Table with how far the scrub has come."""

from sqlalchemy.orm import Mapped, mapped_column

from outlay.storage.directory.tables.base import Base


class ScrubRow(Base):
    """One row, for all nodes: where reading everything stands, and what it found."""

    __tablename__ = "scrub"

    only: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    begun_at_us: Mapped[int | None]
    """None between two rounds."""
    stage: Mapped[int]
    position: Mapped[int]
    faults: Mapped[str]
    """JSON, of the round under way."""
    finished_at_us: Mapped[int | None]
    """The end of the last round."""
    found: Mapped[str]
    """JSON, of the last round."""
