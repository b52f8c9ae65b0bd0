"""The format of API keys: `otl_<id>_<secret><checksum>`.

The id has 16 characters, the secret 43 (256 bits), the checksum six (CRC-32 of what precedes it),
so malformed keys are rejected without a database lookup.
"""

import re
from typing import Final

from outlay.domain.ids import ApiKeyId
from outlay.kit.secrets import checksum_of

KEY_PREFIX: Final = "otl"
_SHAPE: Final = re.compile(r"otl_([0-9a-z]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})", re.ASCII)
_ID_PREFIX: Final = "key_"
_ID: Final = re.compile(r"key_[0-9a-z]{16}", re.ASCII)


def render_key(api_key_id: ApiKeyId, secret: str) -> str:
    """The complete key, as its holder uses it."""
    start = f"{KEY_PREFIX}_{api_key_id.removeprefix(_ID_PREFIX)}_{secret}"
    return start + checksum_of(start)


def parse_key(text: str) -> tuple[str, str] | None:
    """The id and secret of a well-formed key, None for anything else."""
    found = _SHAPE.fullmatch(text)
    if found is None or checksum_of(text[: -len(found[3])]) != found[3]:
        return None
    return _ID_PREFIX + found[1], found[2]


def is_key_id(text: str) -> bool:
    """Whether a text has the format of an Outlay API key id."""
    return _ID.fullmatch(text) is not None
