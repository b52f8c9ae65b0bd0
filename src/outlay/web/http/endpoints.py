"""What an endpoint declares by its signature: its parameters and its answers."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin

from outlay.web.http.answers.base import Answer
from outlay.web.http.parameters import Params


def answers_of(endpoint: Callable[..., Any]) -> tuple[type[Answer], ...]:
    """The types of answers that an endpoint's annotation names; none where it names others.

    The route encodes what `-> UsageActivity` returns. An endpoint that encodes its answer itself,
    for a status of its own, has `-> Annotated[Response, Acknowledgement]`.
    """
    annotation = inspect.signature(endpoint).return_annotation
    kinds = get_args(annotation) or (annotation,)
    return tuple(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Answer))


def writes_itself(endpoint: Callable[..., Any]) -> bool:
    """Whether an endpoint returns its answer as a response."""
    return get_origin(inspect.signature(endpoint).return_annotation) is Annotated


def params_of(endpoint: Callable[..., Any]) -> type[Params] | None:
    """The type of parameters that an endpoint takes from the query string, if it declares one."""
    for parameter in inspect.signature(endpoint).parameters.values():
        kind = get_args(parameter.annotation)[:1]
        if kind and isinstance(kind[0], type) and issubclass(kind[0], Params):
            return kind[0]
    return None
