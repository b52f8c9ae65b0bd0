"""Table of what the audit trail says of persons."""

from sqlalchemy.orm import Mapped, mapped_column

from outlay.storage.directory.tables.base import Base


class PersonalValueRow(Base):
    """A value that identifies a person, by the digest that entries hold in its place."""

    __tablename__ = "personal_value"

    digest: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[str] = mapped_column(index=True)
    nonce: Mapped[bytes]
    value: Mapped[str]
