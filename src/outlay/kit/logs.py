"""Log lines on standard error: as text or JSON, one record each, safe to show and to parse.

Control characters in a record are escaped, so that nobody can write a line of their own into the
log or send a sequence to the terminal that shows it.
"""

import json
import logging
import os
import re
import select
import sys
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import orjson
from typing_extensions import override

FIELDS: Final = "fields"
"""The attribute of a record that holds its fields by name: `logger.info(…, extra={FIELDS: …})`."""

_DROPPED_MARK: Final = "dropped"
"""The attribute of a record that was dropped."""

MAX_LINE: Final = 64 * 1024
"""Maximum length of a line in bytes; longer ones are cut."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_POLL_MS: Final = 0
_DROPPED: Final = "%d log lines were dropped because nobody read the log"


def escape_controls(text: str) -> str:
    """Text with control characters, line ends and directional overrides as `\\x1b` or `\\u2028`."""
    return text if text.isascii() and text.isprintable() else _CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def timestamp(seconds: float) -> str:
    """An instant as RFC 3339 in UTC with milliseconds."""
    milliseconds = int(seconds * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class CommandFormatter(logging.Formatter):
    """For commands, whose output people read: level and message."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """The record as text, with the lines of a traceback indented."""
        return self._head(record) + _traceback(self, record)

    def _head(self, record: logging.LogRecord) -> str:
        return f"{record.levelname.capitalize()}: {escape_controls(record.getMessage())}"


class TextFormatter(CommandFormatter):
    """For servers: time, level, logger and message, then `name=value` for each field."""

    @override
    def _head(self, record: logging.LogRecord) -> str:
        pairs = "".join([f" {name}={value}" for name, value in getattr(record, FIELDS, {}).items()])
        text = f"{record.levelname} {record.name}: {record.getMessage()}{pairs}"
        return f"{timestamp(record.created)} {escape_controls(text)}"


class JsonFormatter(logging.Formatter):
    """For servers whose log a program reads: one object per line."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            text = orjson.dumps(line, default=str).decode()
        except TypeError:  # text that is not valid Unicode
            return json.dumps(line, default=str)
        return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    lines = formatter.formatException(record.exc_info).splitlines()
    return "".join(f"\n  {escape_controls(line)}" for line in lines)


class StderrHandler(logging.Handler):
    """Writes lines to standard error; those below WARNING never wait for the reader.

    A pipe that nobody reads is full after 64 KiB, and writing to it would then block the event loop
    and every request. Such lines are dropped and counted instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self._descriptor = sys.stderr.fileno()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)
        self._dropped = 0

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or drop it."""
        try:
            if record.levelno < logging.WARNING and not self._has_room():
                self._dropped += 1
                setattr(record, _DROPPED_MARK, True)
                return
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._write(_record_of(record, _DROPPED, dropped))
            self._write(record)
        except Exception:
            self.handleError(record)

    def _has_room(self) -> bool:
        """Whether 4 KiB, more than most lines, can be written at once."""
        return bool(self._poll.poll(_POLL_MS))

    def _write(self, record: logging.LogRecord) -> None:
        line = self.format(record).encode(errors="backslashreplace")[:MAX_LINE] + b"\n"
        while line:
            line = line[os.write(self._descriptor, line) :]


def _record_of(record: logging.LogRecord, message: str, *values: object) -> logging.LogRecord:
    """A warning of Outlay's own, with the time of another record."""
    made = logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, values, None)
    made.created = record.created
    return made


def was_logged(logger: logging.Logger, message: str, fields: Mapping[str, object]) -> bool:
    """Log a message with fields at INFO; returns whether it was not dropped."""
    if not logger.isEnabledFor(logging.INFO):
        return True
    extra = {FIELDS: fields}
    record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, message, (), None, "", extra)
    logger.handle(record)
    return not hasattr(record, _DROPPED_MARK)


def start_logging(formatter: logging.Formatter, level: int, *own: str) -> None:
    """Send all records to standard error: from `level` on for the loggers in `own`, warnings for
    others."""
    handler = _standard_error()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))
    for name in own:
        logging.getLogger(name).setLevel(level)


def _standard_error() -> logging.Handler:
    try:
        return StderrHandler()
    except (OSError, ValueError, AttributeError):  # closed, or not a file
        return logging.StreamHandler()
