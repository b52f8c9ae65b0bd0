"""Answers of providers within a file, as batches return them: read as the gateway reads them."""

from collections.abc import Mapping
from typing import Any

from outlay.wire.answer import Answer
from outlay.wire.anthropic.messages import MESSAGES
from outlay.wire.files.mapping import Answers
from outlay.wire.openai.chat import CHAT
from outlay.wire.openai.responses import RESPONSES


def read_answer(body: Mapping[str, Any], whose: Answers) -> Answer:
    """What a whole answer says."""
    answer = Answer()
    if whose is Answers.ANTHROPIC:
        form = MESSAGES
    else:
        form = RESPONSES if body.get("object") == "response" else CHAT
    form.read_body(answer, dict(body))
    return answer


def operation_of(body: Mapping[str, Any]) -> str:
    """The operation that an answer is of; empty where it does not say."""
    return {"response": "responses", "list": "embeddings"}.get(str(body.get("object")), "")
