"""Server-sent events, byte for byte.

Events end with a blank line and lines with CR LF, CR or LF (HTML Living Standard, section 9.2.6).
Nothing else ends a line: U+2028 or U+0085 inside a string are ordinary bytes here.
"""

import re
from typing import Final

MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
"""A longer event is passed on without being parsed."""

END_OF_CR: Final = b"\n"
"""The rest of the blank line of the event before: no event is only this."""

_BLANK_LINE: Final = re.compile(rb"(?:\r\n|\r(?!\n)|\n){2}")
_LINE: Final = re.compile(rb"\r\n|\r|\n")
_LONGEST_BLANK_LINE: Final = 4
_BOM: Final = b"\xef\xbb\xbf"


class EventSplitter:
    """Splits a byte stream into complete events, wherever it was cut in transit.

    The events and `rest` together are exactly the bytes that were fed.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._searched = 0
        self._ends_in_cr = False
        """Whether the last event ended in a CR, of which an LF may follow in the next bytes."""

    @property
    def rest(self) -> bytes:
        """The start of an event that is not complete."""
        return self._rest

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that `chunk` completes, their blank lines included.

        The LF of a CR LF that was cut between two chunks comes as an event of its own, END_OF_CR.
        """
        if not chunk:
            return []
        data = self._rest + chunk if self._rest else chunk
        events = []
        start, search = 0, self._searched
        if self._ends_in_cr and chunk.startswith(END_OF_CR):
            events.append(END_OF_CR)
            start = search = 1
        while found := _BLANK_LINE.search(data, search):
            search = found.end()
            events.append(data[start:search])
            start = search
        self._rest = data[start:] if start else data
        # A blank line may have begun at the end: check its first bytes again.
        self._searched = max(0, len(self._rest) - _LONGEST_BLANK_LINE)
        self._ends_in_cr = not self._rest and data.endswith(b"\r")
        if len(self._rest) > MAX_EVENT_BYTES:
            events.append(self._rest)
            self._rest, self._searched = b"", 0
        return events


def event_data(event: bytes) -> bytes:
    """The data of a raw event: its `data` lines joined by LF; empty if it has none."""
    if event.startswith(b"data: ") and event.endswith(b"\n\n"):
        data = event[6:-2]
        if b"\n" not in data and b"\r" not in data:
            return data
    lines = [
        line[6:] if line.startswith(b"data: ") else line[5:]
        for line in _LINE.split(event.removeprefix(_BOM))
        if line.startswith(b"data:")
    ]
    return b"\n".join(lines)
