"""Table of failed sign-ins."""

from sqlalchemy.orm import Mapped, mapped_column

from outlay.storage.directory.tables.base import Base


class SignInFailureRow(Base):
    """A failure of an account or from an address, which is kept as a digest, for a while."""

    __tablename__ = "sign_in_failure"

    failure_id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[bytes] = mapped_column(index=True)
    at_us: Mapped[int]
