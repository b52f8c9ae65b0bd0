"""Normalised end-user claims: one person or device, regardless of its sessions.

Claude Code puts device, account and session into one text: as JSON, in earlier versions as
`user_<device>_account_<account>_session_<session>`. With the session in it, every start of the
program would be a new end user.
"""

import re
from typing import Any, Final

import msgspec

from outlay.wire.answer import text_of

_FLAT: Final = re.compile(r"user_(\w*?)_account_([0-9A-Za-z-]*)_session_[0-9A-Za-z-]*", re.ASCII)


_MAX_PARTS: Final = 1024
"""Longer claims are not parsed."""


class _Parts(msgspec.Struct):
    """The relevant members of a JSON claim."""

    account_uuid: Any = None
    device_id: Any = None
    session_id: Any = None


_decode: Final = msgspec.json.Decoder(_Parts).decode


def end_user_of(claim: object) -> str:
    """The end user of a claim: the account, else the device; empty for none.

    A claim without parts is used as it is.
    """
    if not isinstance(claim, str):
        return ""
    is_short = len(claim) <= _MAX_PARTS
    if is_short and claim.startswith("{"):
        return _of_json(claim)
    if is_short and claim.startswith("user_") and (flat := _FLAT.fullmatch(claim)):
        return text_of(flat[2] or flat[1])
    return text_of(claim)


def _of_json(claim: str) -> str:
    try:
        parts = _decode(claim)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return text_of(claim)
    if parts.account_uuid is parts.device_id is parts.session_id is None:
        return text_of(claim)
    return text_of(parts.account_uuid) or text_of(parts.device_id)
