"""The paths of pages about objects: one path each, whether configured or discovered."""

from collections.abc import Callable, Iterable

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import Discovered
from outlay.domain.ids import ApiKeyId
from outlay.domain.organization import ApiKey, Project
from outlay.services.bundle import Services
from outlay.web.dashboard.links import Links


def project_path(project: Project) -> str:
    """The overview of a project; its other pages are below."""
    return f"/project/{project.address}"


def key_path(key: ApiKey) -> str:
    """The statistics of an API key: below its project, if it has one."""
    if key.discovered_id:
        return f"/key/{key.discovered_id}"
    return f"/project/{key.project_id}/keys/{key.api_key_id}"


def user_path(user_id: str) -> str:
    """The page of a user, by the id in events; for members and other users."""
    return Links("/monitoring/users/user", ()).put(userId=user_id)


def discovered_path(entry: Discovered) -> str:
    """The page of a discovered entity, or of the one it is merged into; empty if there is none."""
    match entry.dimension:
        case Dimension.PROJECT:
            return project_path(entry.as_project())
        case Dimension.API_KEY:
            return key_path(entry.as_key())
        case Dimension.USER:
            return user_path(entry.merged_into or entry.value)
        case _:
            return ""


def key_paths_in(
    services: Services, actor: Actor, project: Project, values: Iterable[str], links: Links
) -> Callable[[str], str]:
    """Links to the usage of a project's keys, by the id in events, for the same period."""
    found = services.administration.discovered.named(actor, Dimension.API_KEY, list(values))
    addresses = {entry.value: entry.discovered_id for entry in found}

    def path_of(value: str) -> str:
        known = services.attribution.key(actor.organization_id, ApiKeyId(value))
        if known is not None and known.project_id == project.project_id:
            return links.travel(key_path(known))
        address = value if known is not None else addresses.get(value)
        if address:
            return links.travel(f"/key/{address}", projectId=project.project_id)
        # Not in the directory's list of discovered entities: its requests are all that is known.
        return links.travel("/monitoring/requests", projectId=project.project_id, apiKeyId=value)

    return path_of
