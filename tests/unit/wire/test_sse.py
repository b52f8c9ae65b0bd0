"""Events are returned complete and unchanged, wherever the bytes were split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.usage import TokenUsage
from outlay.wire.answer_reader import StreamReader
from outlay.wire.openai.chat import CHAT
from outlay.wire.sse import MAX_EVENT_BYTES, EventSplitter, event_data

NEWLINES = st.sampled_from([b"\n", b"\r\n", b"\r"])
DATA = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1).map(str.encode)


@given(st.lists(DATA, max_size=8), NEWLINES, st.data())
def test_any_chunking_gives_the_same_events(
    contents: list[bytes], newline: bytes, data: st.DataObject
) -> None:
    stream = b"".join(b"data: " + content + newline + newline for content in contents)
    splitter, events, position = EventSplitter(), [], 0
    while position < len(stream):
        size = data.draw(st.integers(1, 7))
        events += splitter.feed(stream[position : position + size])
        position += size

    assert b"".join(events) + splitter.rest == stream
    found_contents = [found for event in [*events, splitter.rest] if (found := event_data(event))]
    assert found_contents == contents


@given(st.binary(max_size=200), st.lists(st.integers(1, 9), min_size=1))
def test_arbitrary_bytes_are_never_lost(stream: bytes, sizes: list[int]) -> None:
    splitter, events, position = EventSplitter(), [], 0
    for size in sizes * (len(stream) + 1):
        if position >= len(stream):
            break
        events += splitter.feed(stream[position : position + size])
        position += size
    assert b"".join(events) + splitter.rest == stream[:position]


def test_only_cr_and_lf_end_lines() -> None:
    odd = "a\u2028b\u0085c\x0bd".encode()
    assert EventSplitter().feed(b"data: " + odd + b"\n\n") == [b"data: " + odd + b"\n\n"]
    assert event_data(b"data: " + odd + b"\n\n") == odd


def test_fields_of_an_event() -> None:
    event = b"\xef\xbb\xbfevent: x\r\n: comment\r\ndata: one\r\ndata:two\r\nid: 7\r\n\r\n"
    assert event_data(event) == b"one\ntwo"
    assert event_data(b"event: ping\n\n") == b""


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_leading_byte_order_mark_is_not_part_of_the_event(newline: bytes) -> None:
    event = b"\xef\xbb\xbfdata: {}" + newline * 2
    assert EventSplitter().feed(event) == [event]
    assert event_data(event) == b"{}"


def test_usage_after_a_byte_order_mark_is_read() -> None:
    usage = b'{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}'
    stream = b'\xef\xbb\xbfdata: {"id":"c-1","choices":[],"usage":' + usage + b"}\n\n"
    for size in (1, 2, 3, len(stream)):
        reader = StreamReader(CHAT)
        passed = b"".join(
            reader.feed(stream[start : start + size]) for start in range(0, len(stream), size)
        )
        assert passed == stream
        reader.finish()
        assert reader.answer.usage == TokenUsage(7, 3)


USAGE = b'"usage":{"prompt_tokens":7,"completion_tokens":3}'
USAGE_ALONE = b'data: {"choices":[],' + USAGE + b"}\n\n"
USAGE_AND_TEXT = b'data: {"choices":[{"delta":{"content":"end"}}],' + USAGE + b"}\n\n"


@pytest.mark.parametrize("hides_usage", [True, False])
def test_usage_event_with_text_is_not_hidden(hides_usage: bool) -> None:
    reader = StreamReader(CHAT, hides_usage=hides_usage)

    assert reader.feed(USAGE_AND_TEXT) == USAGE_AND_TEXT
    assert reader.feed(USAGE_ALONE) == (b"" if hides_usage else USAGE_ALONE)
    assert reader.answer.usage == TokenUsage(7, 3)


@pytest.mark.parametrize("hides_usage", [True, False])
@pytest.mark.parametrize("event", [USAGE_ALONE, USAGE_AND_TEXT])
def test_last_event_without_blank_line_is_read(event: bytes, hides_usage: bool) -> None:
    cut = event.removesuffix(b"\n\n")
    reader = StreamReader(CHAT, hides_usage=hides_usage)
    passed = reader.feed(cut) + reader.finish()

    assert reader.answer.usage == TokenUsage(7, 3)
    assert passed == (b"" if hides_usage and event is USAGE_ALONE else cut)


def test_endless_event_is_not_buffered_forever() -> None:
    splitter = EventSplitter()
    passed = sum(
        len(event) for _ in range(20) for event in splitter.feed(b"x" * (MAX_EVENT_BYTES // 10))
    )
    assert passed > MAX_EVENT_BYTES
    assert len(splitter.rest) <= MAX_EVENT_BYTES


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_hidden_usage_takes_no_other_byte_with_it_wherever_the_stream_is_cut(
    newline: bytes,
) -> None:
    text = b'data: {"choices": [{"delta": {"content": "hi"}}]}'
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}'
    blank = newline * 2
    stream = text + blank + usage + blank + b"data: [DONE]" + blank
    for first in range(len(stream)):
        for second in (first, first + 1, first + 2):
            reader = StreamReader(CHAT, hides_usage=True)
            chunks = (stream[:first], stream[first:second], stream[second:])
            passed = b"".join(map(reader.feed, chunks)) + reader.finish()
            assert passed == text + blank + b"data: [DONE]" + blank, (first, second)
            assert reader.answer.is_complete
