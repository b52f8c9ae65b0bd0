"""The first steps before there is anything to show, and which of them are done."""

from dataclasses import dataclass

from outlay.domain.actor import Actor
from outlay.domain.policy import Permission, has
from outlay.services.bundle import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A first step, on its own page."""

    text: str
    link: str
    path: str
    is_done: bool


def steps_of(services: Services, actor: Actor) -> list[Step]:
    """What an actor can do to get a first request."""
    administration = services.administration
    steps: list[Step] = []
    if has(actor, Permission.UPSTREAMS_WRITE):
        steps.append(
            Step(
                text="Add a provider and its API key.",
                link="Upstreams",
                path="/settings/upstreams",
                is_done=bool(administration.upstreams.list_for(actor)),
            )
        )
    projects = administration.projects.list_for(actor)
    if has(actor, Permission.PROJECTS_WRITE):
        steps.append(
            Step(
                text="Create a project.",
                link="Projects",
                path="/settings/projects",
                is_done=bool(projects),
            )
        )
    steps.append(
        Step(
            text="Create an API key in a project.",
            link="API keys",
            path="/settings/keys",
            is_done=any(key.hint for key in administration.keys.list_for(actor)),
        )
    )
    return steps
