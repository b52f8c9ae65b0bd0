"""Every question to the cube has one method, whose answer has the declared type."""

import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from outlay.domain import questions
from outlay.domain.questions import Question, UsageQuestion
from outlay.storage.cube import rollup_questions
from outlay.storage.cube.reader import SqlReader


def question_types() -> Iterator[type[Question[Any]]]:
    """All question types."""
    for module in (questions, rollup_questions):
        for found in vars(module).values():
            is_question = isinstance(found, type) and issubclass(found, Question)
            if is_question and found not in {Question, UsageQuestion}:
                yield found


def declared_answer(question: type[Question[Any]]) -> Any:
    """The answer type that the question declares."""
    for base in question.__orig_bases__:  # type: ignore[attr-defined]  # of every generic's subclass
        if issubclass(get_origin(base) or base, Question):
            return get_args(base)[0]
    raise AssertionError(f"{question} declares no answer")


QUESTIONS = list(question_types())
ANSWERED = {
    kind: hints["return"]
    for method in vars(SqlReader).values()
    if inspect.isfunction(method)
    for hints in [get_type_hints(method)]
    for kind in QUESTIONS
    if kind in hints.values()
}
"""By question, the return type of the method that answers it."""


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_reader_answers_with_the_declared_type(question: type[Question[Any]]) -> None:
    assert ANSWERED[question] == declared_answer(question)
