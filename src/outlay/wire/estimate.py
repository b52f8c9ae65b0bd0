"""Estimating tokens that nobody counted.

Four bytes of UTF-8 to a token, rounded up: the usual rule for English with today's tokenizers, on
the high side for none and on the low side for few. Estimates are always marked as such.
"""

from typing import Final

from outlay.domain.usage import MAX_TOKENS

BYTES_PER_TOKEN: Final = 4


def estimate_tokens(text_bytes: int) -> int:
    """Tokens of so many bytes of text."""
    return min(MAX_TOKENS, -(-text_bytes // BYTES_PER_TOKEN))
