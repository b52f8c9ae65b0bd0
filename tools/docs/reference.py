"""All generated pages, and the OpenAPI document that some of them are generated from."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tools.docs import api, catalogues, commands, metrics, settings

from outlay.bootstrap.installation import open_installation
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.web.app import Application
from outlay.web.http.openapi import describe

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages in the root of the repository that are also on the site."""


def copied() -> dict[str, str]:
    """Path below `docs` → content of the pages in the root, with links as seen from `docs`."""
    texts = {name.lower(): (ROOT / name).read_text(encoding="utf-8") for name in COPIED}
    return {name: text.replace("](docs/", "](") for name, text in texts.items()}


def generate() -> dict[str, str]:
    """Path below `docs` → content, from a new and empty installation."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_installation(Settings(data=Path(folder))) as services,
    ):
        return pages_of(services)


def pages_of(services: Services) -> dict[str, str]:
    """The generated pages of an open installation."""
    application = Application(services, "operator")
    document: Mapping[str, Any] = describe(application.pages)
    pages = {
        "endpoints.md": api.endpoints(document),
        "schemas.md": api.schemas(document),
        "settings.md": settings.settings(),
        "commands.md": commands.commands(),
        "measures-and-dimensions.md": catalogues.measures_and_dimensions(),
        "meters-and-kinds.md": catalogues.meters_and_kinds(),
        "permissions.md": catalogues.permissions(),
        "error-codes.md": catalogues.error_codes(),
        "request-errors.md": catalogues.request_errors(),
        "audit-actions.md": catalogues.audit_actions(),
        "metrics.md": metrics.metrics(application),
        "openapi.json": json.dumps(document, indent=2, ensure_ascii=False),
    }
    return {f"reference/{name}": content for name, content in pages.items()}
