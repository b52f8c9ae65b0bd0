"""The audit trail: who did what, when, and how it was before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, AuditFilter, Value
from outlay.domain.policy import Permission, has
from outlay.kit.clock import from_us
from outlay.services.directory.audit_log import ShownEntry
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.routes import Router

router = Router(include_in_schema=False)

PAGE_ENTRIES: Final = 50

_VERBS: Final = {
    "create": "created",
    "update": "changed",
    "delete": "deleted",
    "remove": "removed",
    "erase": "erased",
    "revoke": "revoked",
    "accept": "accepted",
    "put": "set",
    "join": "added a member to",
    "leave": "removed a member from",
    "apply": "applied",
    "merge": "merged",
}
_SENTENCES: Final = {
    Action.SESSION_CREATE: "signed in",
    Action.SESSION_DELETE: "signed out",
    Action.SESSION_REFUSE: "failed to sign in",
    Action.PASSWORD_UPDATE: "set a password",
    Action.GROUP_JOIN: "added a member to the group",
    Action.GROUP_LEAVE: "removed a member from the group",
}
_NOUNS: Final = {"api_key": "API key", "sso": "single sign-on", "model": "model name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """An entry, prepared for display."""

    number: int
    time: str
    instant: str
    author: str
    sentence: str
    target: str
    label: str
    channel: str
    request_id: str
    changes: tuple[tuple[str, str, str], ...]
    """Field, old value and new value; empty if there is none."""
    has_before: bool
    digest: str


@dataclass(frozen=True, slots=True)
class AuditDay:
    """The entries of a day."""

    title: str
    lines: list[AuditLine]


@router.get("/monitoring/audit")
def get_audit(
    request: Request,
    actor: Annotated[Actor, Depends(OnPage(Permission.AUDIT_READ))],
    member: str = "",
    noun: str = "",
    target: str = "",
    before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """Render the audit trail, newest day first."""
    administration = services_of(request).administration
    actions = tuple(action for action in Action if action.partition(".")[0] == noun)
    wanted = AuditFilter(author_id=member or None, actions=actions, target=target.strip() or None)
    found = administration.audit.page(actor, wanted, before_number=before, limit=PAGE_ENTRIES)
    links = Links.of(request)
    nouns = dict.fromkeys(action.partition(".")[0] for action in Action)
    return render_page(
        request,
        "audit.html",
        actor=actor,
        title="Audit trail",
        days=list(_days(found, ZoneInfo(actor.timezone))),
        members=(
            administration.members.list_for(actor) if has(actor, Permission.MEMBERS_READ) else []
        ),
        nouns={name: _noun(name) for name in nouns},
        chosen={"member": member, "noun": noun, "target": target},
        older=links.put(before=str(found[-1].entry.number)) if len(found) == PAGE_ENTRIES else None,
        is_first=before is None,
        newest=links.put(before=None),
        export=_export_path(member, actions, target),
        timezone=actor.timezone,
    )


def _export_path(member: str, actions: tuple[Action, ...], target: str) -> str:
    items = [("actor", member), *(("action", action) for action in actions), ("target", target)]
    kept = tuple((name, value) for name, value in items if value)
    return Links("/api/v1/exports/audit.csv", kept).put()


def _days(found: list[ShownEntry], zone: ZoneInfo) -> Iterator[AuditDay]:
    def day_of(shown: ShownEntry) -> str:
        local = from_us(shown.entry.time_us).astimezone(zone)
        return f"{local:%A}, {local:%B} {local.day}, {local.year}"

    for title, entries in groupby(found, day_of):
        yield AuditDay(title, [_line(shown, zone) for shown in entries])


def _line(shown: ShownEntry, zone: ZoneInfo) -> AuditLine:
    entry = shown.entry
    before, after = shown.before or {}, shown.after or {}
    instant = from_us(entry.time_us)
    return AuditLine(
        number=entry.number,
        time=f"{instant.astimezone(zone):%H:%M:%S}",
        instant=instant.isoformat(),
        author=shown.author,
        sentence=describe_action(entry.action),
        target=entry.target,
        label=_label(before, after),
        channel=entry.channel,
        request_id=entry.request_id,
        changes=tuple(
            (name, _text(before.get(name, "")), _text(after.get(name, "")))
            for name in dict.fromkeys((*before, *after))
        ),
        has_before=shown.before is not None,
        digest=entry.digest.hex(),
    )


def _label(before: Mapping[str, Value], after: Mapping[str, Value]) -> str:
    """The display name of the target, if the entry contains one."""
    for name in ("name", "description", "email"):
        for fields in (after, before):
            if name in fields:
                return _text(fields[name])
    return ""


def describe_action(action: Action) -> str:
    """`api_key.create` as a phrase: created an API key."""
    if action in _SENTENCES:
        return _SENTENCES[action]
    noun, _, verb = action.partition(".")
    said = _noun(noun)
    article = "" if noun == "sso" else "an " if said[0].lower() in "aeiou" else "a "
    return f"{_VERBS.get(verb, verb)} {article}{said}"


def _noun(name: str) -> str:
    return _NOUNS.get(name, name.replace("_", " "))


def _text(value: Value) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} = {part}" for name, part in value.items())
    return str(value)
