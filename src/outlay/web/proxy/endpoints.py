"""The relayed paths, with their operation and dialect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from outlay.web.proxy.dialects import ANTHROPIC, OPENAI, Dialect
from outlay.wire.answer import Format
from outlay.wire.answer_reader import AnswerReader, BodyReader, PassingReader, StreamReader
from outlay.wire.anthropic.messages import COUNT_TOKENS, MESSAGES
from outlay.wire.call import Call, parse_form_call, parse_json_call, rewrite_form, rewrite_json
from outlay.wire.openai.chat import CHAT, MEDIA
from outlay.wire.openai.responses import RESPONSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A relayed path."""

    path: str
    operation: str
    dialect: Dialect
    form: Format | None
    """How to read answers; None for those without usage."""
    asks_usage: bool = False
    """Whether streams have usage only on request."""
    takes_form: bool = False
    """Whether the request is a multipart form."""

    @property
    def suffix(self) -> str:
        """The path appended to an upstream's base URL."""
        return self.path.removeprefix("/v1")

    def parse(self, body: bytes, content_type: str) -> Call:
        """Parse the call in a request body; raises Invalid."""
        if self.takes_form:
            return parse_form_call(body, content_type)
        return parse_json_call(body)

    def rewrite(self, call: Call, model: str, *, adds_usage: bool) -> bytes:
        """The body for the upstream; `adds_usage` adds the request for usage."""
        if self.takes_form:
            return rewrite_form(call, model=model)
        return rewrite_json(call, model=model, asks_usage=adds_usage)

    def adds_usage(self, call: Call) -> bool:
        """Whether usage is to be requested although the client did not."""
        return self.asks_usage and call.is_stream and not call.wants_usage

    def reader(self, content_type: str, encoding: str, *, hides_usage: bool) -> AnswerReader:
        """The reader for an answer of a content type and encoding.

        `hides_usage` withholds usage that the client did not ask for.

        No encoding is requested from upstreams; an encoded answer is relayed but not read.
        """
        if self.form is None or encoding:
            return PassingReader()
        if content_type.startswith("text/event-stream"):
            return StreamReader(self.form, hides_usage=hides_usage)
        return BodyReader(self.form)


ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    endpoint.path: endpoint
    for endpoint in (
        Endpoint(
            path="/v1/chat/completions",
            operation="chat",
            dialect=OPENAI,
            form=CHAT,
            asks_usage=True,
        ),
        Endpoint(
            path="/v1/completions",
            operation="text_completion",
            dialect=OPENAI,
            form=CHAT,
            asks_usage=True,
        ),
        Endpoint(path="/v1/embeddings", operation="embeddings", dialect=OPENAI, form=CHAT),
        Endpoint(path="/v1/responses", operation="responses", dialect=OPENAI, form=RESPONSES),
        Endpoint(path="/v1/messages", operation="chat", dialect=ANTHROPIC, form=MESSAGES),
        Endpoint(
            path="/v1/messages/count_tokens",
            operation="count_tokens",
            dialect=ANTHROPIC,
            form=COUNT_TOKENS,
        ),
        Endpoint(
            path="/v1/images/generations",
            operation="image_generation",
            dialect=OPENAI,
            form=MEDIA,
        ),
        Endpoint(
            path="/v1/audio/transcriptions",
            operation="transcription",
            dialect=OPENAI,
            form=MEDIA,
            takes_form=True,
        ),
        Endpoint(path="/v1/audio/speech", operation="speech", dialect=OPENAI, form=None),
    )
}
