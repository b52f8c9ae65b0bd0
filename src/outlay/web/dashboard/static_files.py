"""Styles, scripts, fonts and icons: minified, compressed once, cached permanently by their hash."""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.errors import NotFound
from outlay.web.http.auth import Open
from outlay.web.http.routes import Router

MEDIA_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
COMPRESSED: Final = frozenset({"css", "js", "svg"})
COMMENT: Final = re.compile(
    rb"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/).)*\*/[ \t]*)$", re.MULTILINE | re.DOTALL
)
"""Comments on lines of their own."""
INDENT: Final = re.compile(rb"^[ \t]+", re.MULTILINE)
CSS_SPACE: Final = re.compile(
    rb"""("[^"]*"|'[^']*')|\s*([{};,>])\s*|(:)[ ]+|\s*\n\s*"""  # strings keep their spaces
)
"""White space of a style sheet without meaning: around punctuation, and at line ends."""

IMPORT: Final = re.compile(rb'^@import "(\w+\.css)";$', re.MULTILINE)
"""A style sheet of the same folder that is included in this one."""

IMMUTABLE: Final = "public, max-age=31536000, immutable"

router = Router(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file in memory."""

    body: bytes
    packed: bytes | None
    media_type: str
    digest: str


@cache
def static_files() -> dict[str, StaticFile]:
    """Every file by its path below `static/`; references in scripts and styles get their hash."""
    found: dict[str, StaticFile] = {}
    _collect(files("outlay.web").joinpath("static"), "", found)
    return found


def _collect(folder: Traversable, prefix: str, found: dict[str, StaticFile]) -> None:
    entries = list(folder.iterdir())
    bundled = {name for entry in entries for name in _imports_of(entry)}
    for entry in entries:
        path = f"{prefix}{entry.name}"
        suffix = entry.name.rpartition(".")[2]
        if entry.is_dir():
            _collect(entry, f"{path}/", found)
        elif suffix in MEDIA_TYPES and entry.name not in bundled:
            body = entry.read_bytes()
            if suffix == "css":
                body = IMPORT.sub(lambda part: folder.joinpath(part[1].decode()).read_bytes(), body)
            if suffix in {"css", "js"}:
                body = without_comments(body)
            if suffix == "css":
                body = without_space(body)
            found[path] = StaticFile(
                body=body,
                packed=gzip.compress(body, 9, mtime=0) if suffix in COMPRESSED else None,
                media_type=MEDIA_TYPES[suffix],
                digest=hashlib.sha256(body).hexdigest()[:8],
            )


def _imports_of(entry: Traversable) -> list[str]:
    if not entry.name.endswith(".css"):
        return []
    return [name.decode() for name in IMPORT.findall(entry.read_bytes())]


def without_comments(source: bytes) -> bytes:
    """A script or style as it is sent, without comments and indentation; line numbers do not
    change.

    No string spans several lines, where leading space would be part of it.
    """
    bare = COMMENT.sub(lambda comment: b"\n" * comment[0].count(b"\n"), source)
    return INDENT.sub(b"", bare)


def without_space(sheet: bytes) -> bytes:
    """A style sheet without meaningless white space."""
    return CSS_SPACE.sub(lambda found: found[1] or found[2] or found[3] or b"\n", sheet)


@cache
def release_digest() -> str:
    """One hash over all files: scripts below it import each other by plain names."""
    parts = [f"{path}{entry.digest}" for path, entry in sorted(static_files().items())]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:8]


def static_url(path: str) -> str:
    """The URL of a file, which changes if any file does."""
    if path not in static_files():
        raise KeyError(path)
    return f"/static/{release_digest()}/{path}"


@router.get(
    "/static/{release}/{path:path}", dependencies=[Depends(Open("styles and scripts hold no data"))]
)
def get_static(request: Request, release: str, path: str) -> Response:
    """A file; immutable, because its URL contains the release."""
    entry = static_files().get(path)
    if entry is None:
        raise NotFound("There is no such file.")
    is_current = release == release_digest()
    headers = {
        "Cache-Control": IMMUTABLE if is_current else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if entry.packed and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(entry.packed, headers=headers, media_type=entry.media_type)
    return Response(entry.body, headers=headers, media_type=entry.media_type)
