"""Secrets of upstreams and identity providers, sealed in the directory."""

from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, Invalid
from outlay.kit.sealing import SealBroken, Sealer

MAX_SECRET: Final = 4096


def seal_secret(sealer: Sealer, secret: str, place: str) -> bytes:
    """Seal an entered secret for a place; Invalid if it cannot be sent in a header."""
    if len(secret) > MAX_SECRET or not secret.isascii() or not secret.isprintable():
        raise Invalid(
            f"The secret must have at most {MAX_SECRET:,} printable ASCII characters.",
            field="secret",
        )
    return sealer.seal(secret, place)


def open_secret(sealer: Sealer, sealed: bytes | None, place: str, name: str) -> str:
    """The secret, empty without one; Damaged, by its name, if the master key does not open it."""
    if sealed is None:
        return ""
    try:
        return sealer.open(sealed, place)
    except SealBroken as error:
        raise Damaged(
            f"The {name} cannot be opened: {error}.", code=ErrorCode.SECRET_SEALED
        ) from error
