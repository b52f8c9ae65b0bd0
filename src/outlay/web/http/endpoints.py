"""What an endpoint's signature declares: its parameters and its answers."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin

from outlay.web.http.answers.base import Answer
from outlay.web.http.parameters import Params


def answers_of(endpoint: Callable[..., Any]) -> tuple[type[Answer], ...]:
    """The answer types in an endpoint's return annotation; empty if there are none.

    The route encodes what `-> UsageActivity` returns. An endpoint that encodes its answer itself,
    to set the status, has `-> Annotated[Response, Acknowledgement]`.
    """
    annotation = inspect.signature(endpoint).return_annotation
    kinds = get_args(annotation) or (annotation,)
    return tuple(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Answer))


def writes_itself(endpoint: Callable[..., Any]) -> bool:
    """Whether an endpoint returns a response instead of an answer."""
    return get_origin(inspect.signature(endpoint).return_annotation) is Annotated


def params_of(endpoint: Callable[..., Any]) -> type[Params] | None:
    """The type of the query parameters that an endpoint declares, if any."""
    for parameter in inspect.signature(endpoint).parameters.values():
        kind = get_args(parameter.annotation)[:1]
        if kind and isinstance(kind[0], type) and issubclass(kind[0], Params):
            return kind[0]
    return None
