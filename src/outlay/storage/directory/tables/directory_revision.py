"""Table with the number of changes made to the directory."""

from sqlalchemy.orm import Mapped, mapped_column

from outlay.storage.directory.tables.base import Base


class DirectoryRevisionRow(Base):
    """A single row that every change increments, so that other processes reload."""

    __tablename__ = "directory_revision"

    only: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int]
