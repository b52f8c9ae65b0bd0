"""User, app, session and tags of a request, as its headers claim.

The header names are those that applications already send to gateways: Outlay's own, LiteLLM's,
Helicone's, OpenRouter's, Open WebUI's, Portkey's and Cloudflare's. Nothing here can fail a request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from outlay.domain.tag import read_tags
from outlay.wire.answer import text_of
from outlay.wire.apps import app_of_agent
from outlay.wire.end_users import end_user_of

Headers = Mapping[bytes, bytes]
"""Header values by name in lower case; of a repeated header the first."""

_USER: Final = (
    b"x-outlay-user",
    b"x-litellm-customer-id",
    b"x-litellm-end-user-id",
    b"helicone-user-id",
)
_OPEN_WEBUI: Final = (
    b"x-openwebui-user-email",
    b"x-openwebui-user-id",
    b"x-openwebui-user-name",
)
"""Open WebUI's headers for its user, most specific first; URL-encoded where necessary."""
_USER_IN_METADATA: Final = ((b"x-portkey-metadata", "_user"), (b"cf-aig-metadata", "user"))
"""JSON headers, and their member that names the user."""
_SESSION: Final = (
    b"x-outlay-session",
    b"helicone-session-id",
    b"x-litellm-session-id",
    b"x-claude-code-session-id",
    b"session_id",
    b"session-id",
    b"x-session-id",
)
"""Headers that name the session: Outlay's own, gateways', those of coding agents."""
_PROPERTY: Final = b"helicone-property-"
MAX_TAGS: Final = 100
"""Maximum number of tags read from one request."""
_APP: Final = (b"x-outlay-app", b"x-openrouter-title", b"x-title", b"helicone-property-app")


@dataclass(frozen=True, slots=True)
class Caller:
    """What a request claims about itself; empty fields where it claims nothing."""

    user: str = ""
    app: str = ""
    groups: tuple[str, ...] = ()
    session: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def read_caller(headers: Headers) -> Caller:
    """The claims in the headers of a request."""
    groups = _text(headers, b"x-outlay-groups")
    return Caller(
        user=_user(headers),
        app=_first(headers, _APP) or _site(headers) or _program(headers),
        groups=tuple(part.strip() for part in groups.split(",") if part.strip()),
        session=_first(headers, _SESSION),
        tags=_tags(headers),
    )


def _tags(headers: Headers) -> Mapping[str, str]:
    """The tags of a request; Outlay's own header wins over others."""
    tags: dict[str, str] = {}
    for name in headers:
        if name.startswith(_PROPERTY):
            key = name[len(_PROPERTY) :].decode("latin-1")
            tags[key] = _text(headers, name)
    for name, _ in _USER_IN_METADATA:
        if name in headers:
            tags |= tags_in(_object(headers[name]))
    return tags | read_tags(_text(headers, b"x-outlay-tags"))


def tags_in(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The texts in a JSON object, as tags; the first MAX_TAGS."""
    texts = ((key.lower(), text_of(value)) for key, value in metadata.items())
    return dict(islice(((key, text) for key, text in texts if text), MAX_TAGS))


def _user(headers: Headers) -> str:
    if claim := _first(headers, _USER):
        return end_user_of(claim)
    if claim := _first(headers, _OPEN_WEBUI):
        return text_of(unquote(claim))
    for name, member in _USER_IN_METADATA:
        if name in headers and (claim := _member(headers[name], member)):
            return claim
    return ""


def _program(headers: Headers) -> str:
    """The client program. Open WebUI sends the agent of its HTTP library, so it is recognised by
    other headers.
    """
    if b"x-openwebui-user-id" in headers:
        return "Open WebUI"
    return app_of_agent(_text(headers, b"user-agent"))


def _member(text: bytes, name: str) -> str:
    """A member of a JSON object, as a user claim."""
    return end_user_of(_object(text).get(name))


def _object(text: bytes) -> Mapping[str, Any]:
    """A JSON object; empty for anything else."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _first(headers: Headers, names: tuple[bytes, ...]) -> str:
    for name in names:
        if name in headers and (value := _text(headers, name)):
            return value
    return ""


def _text(headers: Headers, name: bytes) -> str:
    value = headers.get(name)
    if not value:
        return ""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text_of(text.strip())


def _site(headers: Headers) -> str:
    """The host of the page that sent the request."""
    if not (value := _text(headers, b"http-referer") or _text(headers, b"referer")):
        return ""
    try:
        return (urlsplit(value).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
