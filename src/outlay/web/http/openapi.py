"""The OpenAPI document: authentication, errors, and what FastAPI does not add itself."""

from importlib.resources import files
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic.alias_generators import to_camel

from outlay.domain.error_codes import ErrorCode
from outlay.web.http.answers.base import Answer
from outlay.web.http.endpoints import answers_of
from outlay.web.http.schemas import components_of, reference_to
from outlay.wire.native import EVENT_SCHEMA

API_PREFIX: Final = "/api/v1"
"""The prefix of the JSON API."""

_CODES: Final = "Stable, for programs:\n\n" + "\n".join(
    f"* `{code}`: {code.meaning}" for code in ErrorCode
)

PROBLEM: Final = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": _CODES},
        "detail": {"type": "string", "description": "What is wrong and how to fix it."},
        "field": {"type": "string", "description": "The parameter or field with the error."},
        "instance": {"type": "string"},
        "requestId": {"type": "string", "description": "As in the audit trail."},
    },
}

ERRORS: Final = {
    "400": "The request is invalid; `field` says where.",
    "401": "The credential is missing, unknown, expired or revoked.",
    "403": "Code `plan-required`, `role-required` or `scope-required` says what is missing.",
    "404": "It does not exist, or belongs to another organization.",
    "409": "It conflicts with what exists.",
    "413": "The body is too large.",
    "415": "The body has an unsupported media type or encoding.",
    "429": "Too many attempts.",
    "503": "Temporarily unavailable; try again.",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an application's JSON API."""
    if app.openapi_schema:
        return app.openapi_schema
    schema = get_openapi(
        title=app.title,
        version=app.version,
        description="Usage analytics of an LLM gateway.",
        routes=app.routes,
        servers=[{"url": "/", "description": "The server that this document is read from."}],
    )
    components = schema.setdefault("components", {})
    components["securitySchemes"] = {
        "accessToken": {"type": "http", "scheme": "bearer", "description": "`ota_…`"},
        "accessTokenAsPassword": {
            "type": "http",
            "scheme": "basic",
            "description": "The access token as the password, with any user name.",
        },
    }
    answers = answer_types(app)
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    found = components_of([kind for kinds in answers.values() for kind in kinds])
    for name in schemas.keys() & found.keys():
        if "enum" not in found[name]:
            raise RuntimeError(f"two answer types have the name {name}")
    if unclear := [name for name in schemas if "__" in name]:
        raise RuntimeError(f"give these types names of their own: {', '.join(unclear)}")
    schemas.update(found, Problem=PROBLEM, UsageEvent=EVENT_SCHEMA)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            _complete(operation, method, path, answers.get((method, path), ()))
            operation["security"] = [{name: []} for name in components["securitySchemes"]]
    app.openapi_schema = schema
    return schema


def answer_types(app: FastAPI) -> dict[tuple[str, str], tuple[type[Answer], ...]]:
    """The answer types of endpoints, by method and path."""
    return {
        (method.lower(), str(context.path_format)): answers_of(context.endpoint)
        for context in iter_route_contexts(app.routes)
        if context.endpoint is not None
        for method in context.methods or ()
    }


def _complete(
    operation: dict[str, Any], method: str, path: str, answers: tuple[type[Answer], ...]
) -> None:
    """Add what FastAPI does not know about an operation: its id, its answers and errors."""
    operation["operationId"] = to_camel(_words(method, path))
    if answers:
        content: dict[str, Any] = {"schema": reference_to(answers)}
        example = read_example(method, path)
        if example is not None:
            content["example"] = example
        operation["responses"]["200"].setdefault("content", {})["application/json"] = content
    operation["responses"].pop("422", None)
    for status, meaning in ERRORS.items():
        operation["responses"].setdefault(status, _problem(meaning))


def example_name(method: str, path: str) -> str:
    """The name of the file with an endpoint's example."""
    return f"{_words(method, path)}.json"


def _words(method: str, path: str) -> str:
    """`get_analytics_keys_api_key_id`: unique to the endpoint, without the API's prefix."""
    words = (
        path.removeprefix(API_PREFIX)
        .replace("{", "")
        .replace("}", "")
        .replace("-", "_")
        .strip("/")
        .split("/")
    )
    return "_".join([method.lower(), *words])


def read_example(method: str, path: str) -> Any:
    """The example of an endpoint; None if there is none."""
    file = files("outlay.web.http.examples").joinpath(example_name(method, path))
    return orjson.loads(file.read_bytes()) if file.is_file() else None


def json_body(schema: dict[str, Any]) -> dict[str, Any]:
    """A request body of a route that parses its JSON itself."""
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _problem(description: str) -> dict[str, Any]:
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": description, "content": {"application/problem+json": reference}}
