"""The reference of the JSON API, generated from its OpenAPI document."""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from tools.docs.markdown import code, page, table

from outlay.web.http.openapi import API_PREFIX

Json = Mapping[str, Any]


def endpoints(document: Json) -> str:
    """Every operation, by tag: parameters, body and answer."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["other"])[0]
            text = "\n\n".join(_operation(document, method.upper(), path, operation))
            by_tag.setdefault(tag, []).append(text)
    sections = (f"## {tag[0].upper()}{tag[1:]}\n\n" + "\n\n".join(by_tag[tag]) for tag in by_tag)
    return page(
        "Endpoints",
        "Every operation of the JSON API, made from the [OpenAPI document](openapi.json), which a "
        "server also serves as `/api/v1/openapi.json`. Authentication, errors and shared "
        "parameters: [using the API](api.md). Types of answers: [schemas](schemas.md).",
        *sections,
    )


def schemas(document: Json) -> str:
    """Every named type of a body or an answer."""
    parts = []
    for name, schema in sorted(document["components"]["schemas"].items()):
        values = f"One of {_type_of(schema)}." if "enum" in schema else ""
        parts += [f"## {name}", schema.get("description", "").strip(), values, _fields(schema)]
    return page("Schemas", "The types of bodies and answers of the [API](endpoints.md).", *parts)


def _operation(document: Json, method: str, path: str, operation: Json) -> Iterator[str]:
    short = f"{method} {path.removeprefix(API_PREFIX)}"
    yield f'### `{method} {path}` {{ data-toc-label="{short}" }}'
    yield operation.get("description") or operation.get("summary", "")
    yield f"Operation id: `{operation['operationId']}`."
    yield _parameters(operation.get("parameters", []))
    body = _content_schema(operation.get("requestBody", {}))
    if body:
        yield "Body: " + _type_of(body) + "."
        yield _fields(_resolved(document, body))
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            yield from _answer(status, answer)


def _answer(status: str, answer: Json) -> Iterator[str]:
    schema = _content_schema(answer)
    is_named = "$ref" in schema or "$ref" in schema.get("items", {})
    yield f"Answer: {status}" + (f", {_type_of(schema)}." if is_named else ".")
    example = _content_of(answer).get("example")
    if example is not None:
        text = json.dumps(example, indent=2, ensure_ascii=False)
        indented = "\n".join(f"    {line}" for line in ("```json", *text.splitlines(), "```"))
        yield f'??? example "Example"\n\n{indented}'


def _parameters(parameters: list[Json]) -> str:
    """A table; parameters that differ only in their name share a row."""

    def rest(parameter: Json) -> tuple[str, str, str]:
        schema = parameter.get("schema", {})
        return parameter["in"], _type_of(schema), parameter.get("description", "")

    groups = [(key, list(found)) for key, found in groupby(sorted(parameters, key=rest), key=rest)]
    return table(
        ["parameter", "in", "type", "meaning"],
        ([", ".join(code(each["name"]) for each in found), *key] for key, found in groups),
    )


def _fields(schema: Json) -> str:
    required = schema.get("required", [])
    return table(
        ["field", "type", "required", "meaning"],
        (
            [code(name), _type_of(field), "yes" if name in required else "", _meaning(field)]
            for name, field in schema.get("properties", {}).items()
        ),
    )


def _meaning(field: Json) -> str:
    return str(field.get("description", ""))


def _content_schema(holder: Json) -> Json:
    found: Json = _content_of(holder).get("schema", {})
    return found


def _content_of(holder: Json) -> Json:
    """The content of a body or an answer, in its first media type."""
    contents: Json = holder.get("content", {})
    return next(iter(contents.values()), {})


def _resolved(document: Json, schema: Json) -> Json:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Json = document["components"]["schemas"][name] if name else schema
    return found


def _type_of(schema: Json) -> str:
    """The type of a value in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](schemas.md#{name.lower()})"
    if "enum" in schema:
        return ", ".join(code(str(value)) for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type_of(each) for each in schema[several]))
    if schema.get("type") == "array":
        return f"list of {_type_of(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    kinds = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{kinds} ({schema['format']})" if "format" in schema else kinds
