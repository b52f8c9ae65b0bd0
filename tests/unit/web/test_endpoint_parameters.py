"""The query parameters of every endpoint are those listed in a file.

A parameter that an endpoint gets by accident, from a shared base class, fails here. After an
intended change, OUTLAY_WRITE_GOLDEN=1 writes the file again.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from outlay.web.app import API_ROUTERS

FILE = Path(__file__).parents[2] / "data" / "endpoint_parameters.json"


def parameter_names(dependant: Dependant) -> Iterator[str]:
    """The query parameters that FastAPI reads itself."""
    yield from (parameter.alias for parameter in dependant.query_params)
    for dependency in dependant.dependencies:
        yield from parameter_names(dependency)


def endpoint_parameters() -> dict[str, list[str]]:
    """The query parameters of each endpoint that has any."""
    found = {}
    for router in API_ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                declared = (route.openapi_extra or {}).get("parameters", [])
                names = {each["name"] for each in declared} | {*parameter_names(route.dependant)}
                if names:
                    found[f"{' '.join(sorted(route.methods or ()))} {route.path}"] = sorted(names)
    return found


def test_endpoints_have_the_listed_parameters() -> None:
    found = endpoint_parameters()
    if os.environ.get("OUTLAY_WRITE_GOLDEN"):
        lines = (f" {json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found))
        FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")

    assert found == json.loads(FILE.read_text())
