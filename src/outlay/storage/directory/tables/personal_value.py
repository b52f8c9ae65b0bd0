"""Table of personal values in the audit trail."""

from sqlalchemy.orm import Mapped, mapped_column

from outlay.storage.directory.tables.base import Base


class PersonalValueRow(Base):
    """A personal value, by the digest that entries contain instead."""

    __tablename__ = "personal_value"

    digest: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[str] = mapped_column(index=True)
    nonce: Mapped[bytes]
    value: Mapped[str]
