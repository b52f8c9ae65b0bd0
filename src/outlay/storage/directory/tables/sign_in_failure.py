"""Table of failed sign-ins."""

from sqlalchemy.orm import Mapped, mapped_column

from outlay.storage.directory.tables.base import Base


class SignInFailureRow(Base):
    """A recent failed sign-in of an account or address, stored as a digest."""

    __tablename__ = "sign_in_failure"

    failure_id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[bytes] = mapped_column(index=True)
    at_us: Mapped[int]
