"""Table of the digests of all other tables' rows."""

from sqlalchemy.orm import Mapped, mapped_column

from outlay.storage.directory.tables.base import Base


class RowDigestRow(Base):
    """The digest of a row when it was last written, to detect changes made elsewhere."""

    __tablename__ = "row_digest"

    row_key: Mapped[bytes] = mapped_column(primary_key=True)
    """A digest of the table's name and the primary key, which may name a person."""
    table_name: Mapped[str] = mapped_column(index=True)
    digest: Mapped[bytes]
