"""The OpenAPI description: how to authenticate, and that every error is one shape."""

from importlib.resources import files
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.alias_generators import to_camel

from outlay.domain.error_codes import ErrorCode
from outlay.web.http.answer_schemas import schema_of
from outlay.wire.native import EVENT_SCHEMA

API_PREFIX: Final = "/api/v1"
"""Where the JSON API is served."""

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
        "detail": {"type": "string", "description": "What is wrong and how to mend it."},
        "field": {"type": "string", "description": "The parameter or field at fault."},
        "instance": {"type": "string"},
        "requestId": {"type": "string", "description": "As in the audit trail."},
    },
}

ANSWERS: Final = {
    "400": "The request is wrong; `field` says where.",
    "401": "No credential, or one that is unknown, expired or revoked.",
    "403": "Code `plan-required`, `role-required` or `scope-required` says what is missing.",
    "404": "There is no such thing, or it belongs to somebody else.",
    "409": "It contradicts what there is.",
    "413": "The body is too large.",
    "415": "The body is encoded in a way that is not read.",
    "429": "Too many attempts.",
    "503": "Not now; try again.",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The description of an application's JSON API."""
    if app.openapi_schema:
        return app.openapi_schema
    schema = get_openapi(
        title=app.title,
        version=app.version,
        description="Usage analytics of an LLM gateway.",
        routes=app.routes,
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
    components.setdefault("schemas", {}).update(Problem=PROBLEM, UsageEvent=EVENT_SCHEMA)
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for name, path in schema["paths"].items():
        for method, operation in path.items():
            operation["operationId"] = to_camel(_words(method, name))
            example = read_example(method, name)
            if example is not None:
                answers = operation["responses"]["200"].setdefault("content", {})
                answers["application/json"] = {"schema": schema_of(example), "example": example}
            operation["security"] = [{name: []} for name in components["securitySchemes"]]
            operation["responses"].pop("422", None)
            for status, meaning in ANSWERS.items():
                operation["responses"].setdefault(status, _problem(meaning))
    app.openapi_schema = schema
    return schema


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
    """The example of an endpoint, None when there is none."""
    file = files("outlay.web.http.examples").joinpath(example_name(method, path))
    return orjson.loads(file.read_bytes()) if file.is_file() else None


def json_body(schema: dict[str, Any]) -> dict[str, Any]:
    """A request body of a route that parses its JSON itself."""
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _problem(description: str) -> dict[str, Any]:
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": description, "content": {"application/problem+json": reference}}
