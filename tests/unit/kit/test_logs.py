"""Log lines: one per record, safe to show; an unread log does not stop the server."""

import io
import json
import logging
import os
import sys
from collections.abc import Iterator

import pytest

from outlay.kit.logs import (
    FIELDS,
    CommandFormatter,
    JsonFormatter,
    StderrHandler,
    TextFormatter,
    start_logging,
    timestamp,
    was_logged,
)

HOSTILE = "a\nb\x1b[31m\x9b\u2028\u202e"


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    """Restore what `start_logging` changes."""
    root, own = logging.getLogger(), logging.getLogger("sample")
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level, own.level = handlers, level, logging.NOTSET
    own.manager.root.setLevel(level)


def record_of(message: str = HOSTILE, **fields: object) -> logging.LogRecord:
    """A record as a logger creates it."""
    record = logging.LogRecord("sample", logging.INFO, "", 0, "%s", (message,), None)
    record.created = 1_795_881_600.0429
    setattr(record, FIELDS, fields)
    return record


def test_a_timestamp_is_rfc_3339_in_utc() -> None:
    assert timestamp(1_795_881_600.0429) == "2026-11-28T16:00:00.042Z"


def test_a_text_line_has_time_level_logger_message_and_fields() -> None:
    line = TextFormatter().format(record_of("request", status=200, route="/x"))

    assert line == "2026-11-28T16:00:00.042Z INFO sample: request status=200 route=/x"


def test_command_line_output_has_level_and_message() -> None:
    assert CommandFormatter().format(record_of("it is late")) == "Info: it is late"


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter(), CommandFormatter()])
def test_control_characters_are_escaped(formatter: logging.Formatter) -> None:
    line = formatter.format(record_of(HOSTILE, route=HOSTILE))

    assert line.isprintable()


def test_a_json_line_is_an_object_with_the_fields() -> None:
    found = json.loads(JsonFormatter().format(record_of(HOSTILE, status=200)))

    assert found == {
        "time": "2026-11-28T16:00:00.042Z",
        "level": "info",
        "logger": "sample",
        "message": HOSTILE,
        "pid": os.getpid(),
        "status": 200,
    }


def test_json_line_accepts_invalid_unicode() -> None:
    assert json.loads(JsonFormatter().format(record_of("\udcff")))["message"] == "\udcff"


def test_no_line_of_a_traceback_can_be_taken_for_a_record() -> None:
    record = record_of("failed")
    error = ValueError("x\n2026-11-28T16:00:00.042Z INFO sample: forged")
    record.exc_info = (ValueError, error, None)

    first, *others = TextFormatter().format(record).splitlines()

    assert first.endswith("failed")
    assert all(line.startswith("  ") for line in others)
    assert "forged" in json.loads(JsonFormatter().format(record))["exception"]


def test_unread_log_lines_are_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb") as pipe:
        monkeypatch.setattr(sys, "stderr", stream)
        start_logging(TextFormatter(), logging.INFO, "sample")
        own = logging.getLogger("sample")
        for number in range(10_000):  # blocks forever if a write waits for a reader
            own.info("line %d", number)

        read = pipe.read1(1 << 20).decode()
        own.info("after")
        rest = pipe.read1(1 << 20).decode().splitlines()

    written = read.count("\n")
    assert 100 < written < 10_000
    assert f"{10_000 - written} log lines were dropped" in rest[0]
    assert rest[1].endswith("after")


def test_caller_learns_that_its_line_was_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb") as pipe:
        monkeypatch.setattr(sys, "stderr", stream)
        start_logging(TextFormatter(), logging.INFO, "sample")
        own = logging.getLogger("sample")
        found = [was_logged(own, "end", {"number": number}) for number in range(10_000)]
        read = pipe.read1(1 << 20).decode()

        assert found.count(True) == read.count("\n") < 10_000
        assert found == sorted(found, reverse=True)
        assert was_logged(own, "end", {"number": 1})
        assert pipe.read1(1 << 20).decode().endswith("INFO sample: end number=1\n")
        assert was_logged(logging.getLogger("sample.off"), "x", {})


def test_other_loggers_are_heard_from_warning_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()  # has no descriptor
    monkeypatch.setattr(sys, "stderr", stream)

    start_logging(TextFormatter(), logging.DEBUG, "sample")
    logging.getLogger("sample.part").debug("of ours")
    logging.getLogger("urllib3").info("of others")
    logging.getLogger("urllib3").warning("that matters")

    assert "of ours" in stream.getvalue()
    assert "of others" not in stream.getvalue()
    assert "that matters" in stream.getvalue()
    assert not isinstance(logging.getLogger().handlers[0], StderrHandler)
