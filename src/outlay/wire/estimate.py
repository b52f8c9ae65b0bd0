"""Token estimates for requests without counts.

Four bytes of UTF-8 per token, rounded up: the usual rule for English with today's tokenizers.
Estimates are always marked as such.
"""

from typing import Final

from outlay.domain.usage import MAX_TOKENS

BYTES_PER_TOKEN: Final = 4


def estimate_tokens(text_bytes: int) -> int:
    """The estimated tokens of a number of bytes of text."""
    return min(MAX_TOKENS, -(-text_bytes // BYTES_PER_TOKEN))
