"""Provider answers within a file, as batch results have them; parsed as in the gateway."""

from collections.abc import Mapping
from typing import Any

from outlay.wire.answer import Answer
from outlay.wire.anthropic.messages import MESSAGES
from outlay.wire.files.mapping import Answers
from outlay.wire.openai.chat import CHAT
from outlay.wire.openai.responses import RESPONSES


def read_answer(body: Mapping[str, Any], whose: Answers) -> Answer:
    """Parse a complete answer."""
    answer = Answer()
    if whose is Answers.ANTHROPIC:
        form = MESSAGES
    else:
        form = RESPONSES if body.get("object") == "response" else CHAT
    form.read_body(answer, dict(body))
    return answer


def operation_of(body: Mapping[str, Any]) -> str:
    """The operation that an answer belongs to; empty if unknown."""
    return {"response": "responses", "list": "embeddings"}.get(str(body.get("object")), "")
