"""The usage of one member, API key or project."""

from outlay.web.http.answers.activity import Entry, UsageActivity
from outlay.web.http.answers.base import Answer
from outlay.web.http.answers.measures import Summary
from outlay.web.http.answers.tables import Person


class MostUsed(Answer):
    """The values with the most requests; null without requests."""

    model: Entry | None
    provider: Entry | None
    app: Entry | None


class _Findings(Answer):
    summary: Summary
    most_used: MostUsed
    cost_by_model: list[Entry]
    top_providers: list[Entry]
    top_apps: list[Entry]


class Profile(UsageActivity, _Findings):
    """The sums of some usage, its parts, and its development."""


class _Member(Answer):
    member: Person


class MemberProfile(Profile, _Member):
    """The usage of one member's API keys."""


class KeyHead(Answer):
    """An API key; `userId` is the member who created it."""

    api_key_id: str
    description: str
    label: str
    project_id: str
    user_id: str
    status: str
    is_deleted: bool


class _Key(Answer):
    api_key: KeyHead


class KeyProfile(Profile, _Key):
    """The usage of one API key."""


class ProjectHead(Answer):
    """A project."""

    project_id: str
    name: str
    label: str
    is_deleted: bool


class _Project(Answer):
    project: ProjectHead


class ProjectProfile(Profile, _Project):
    """The usage of one project."""
