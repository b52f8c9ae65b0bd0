"""Creating and changing organizations."""

from dataclasses import replace

from outlay.domain.actor import Actor, Plan
from outlay.domain.audit import Action, Value
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.ids import OrganizationId
from outlay.domain.organization import Organization, operator_of
from outlay.domain.period import parse_zone
from outlay.domain.policy import Permission, permit
from outlay.kit.ids import new_id
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.text_rules import (
    check_name,
    check_name_free,
    check_slug,
    slug_of,
)
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.organizations import (
    create_organization,
    find_organization,
    list_organizations,
    update_organization,
)
from outlay.storage.directory.session import ReadSession, WriteSession


class Organizations:
    """The tenants of an installation."""

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        self._directory = directory
        self._audited = audited

    def all(self) -> list[Organization]:
        """All organizations, oldest first: for the operator only."""
        with self._directory.read() as session:
            return list_organizations(session)

    def create(
        self,
        name: str,
        *,
        plan: Plan = Plan.ENTERPRISE,
        timezone: str = "UTC",
        slug: str | None = None,
    ) -> Organization:
        """Create an organization; raises Conflict if its name or slug is taken."""
        organization = self.draft(name, plan=plan, timezone=timezone, slug=slug)
        with self._audited.change(
            operator_of(organization), Permission.ORGANIZATION_WRITE
        ) as change:
            self.add(change.session, organization, change.now_us)
            change.note(
                Action.ORGANIZATION_CREATE,
                organization.organization_id,
                after=_describe(organization),
            )
        return organization

    def draft(
        self, name: str, *, plan: Plan, timezone: str, slug: str | None = None
    ) -> Organization:
        """An organization that is not stored yet; raises Invalid if a property is not valid."""
        parse_zone(timezone)
        organization_id = OrganizationId(new_id("org"))
        return Organization(
            organization_id=organization_id,
            name=check_name(name),
            plan=plan,
            timezone=timezone,
            slug=check_slug(slug or slug_of(name) or organization_id.replace("_", "-")),
        )

    def add(self, session: WriteSession, organization: Organization, now_us: int) -> None:
        """Store an organization."""
        _check_free(organization, list_organizations(session))
        create_organization(session, organization, now_us)

    def find_by_name(self, name: str | None) -> Organization | None:
        """The organization with a name, slug or id, or the only one if no name is given.

        Raises NotFound for an unknown name and Invalid if a name is needed.
        """
        organizations = self.all()
        if name is None:
            if len(organizations) > 1:
                names = ", ".join(repr(known.name) for known in organizations)
                raise Invalid(
                    f"`--organization` is required. Choose one of {names}.", field="organization"
                )
            return organizations[0] if organizations else None
        for known in organizations:
            if name in {known.name, known.slug, known.organization_id}:
                return known
        raise NotFound(f"There is no organization {name!r}.")

    def organization_of(self, actor: Actor) -> Organization:
        """The actor's organization."""
        permit(actor, Permission.ORGANIZATION_READ)
        with self._directory.read() as session:
            return _find(session, actor)

    def update(
        self,
        actor: Actor,
        *,
        name: str | None = None,
        slug: str | None = None,
        timezone: str | None = None,
        plan: Plan | None = None,
    ) -> Organization:
        """Change the actor's organization; None leaves a property unchanged.

        The plan depends on the contract: only the operator sets it.
        """
        if timezone is not None:
            parse_zone(timezone)
        with self._audited.change(actor, Permission.ORGANIZATION_WRITE) as change:
            before = _find(change.session, actor)
            after = replace(
                before,
                name=before.name if name is None else check_name(name),
                slug=before.slug if slug is None else check_slug(slug),
                timezone=timezone or before.timezone,
                plan=plan if plan is not None and actor.is_operator else before.plan,
            )
            _check_free(after, list_organizations(change.session))
            update_organization(change.session, after)
            change.note_update(
                Action.ORGANIZATION_UPDATE,
                after.organization_id,
                _describe(before),
                _describe(after),
            )
        return after


def _find(session: ReadSession, actor: Actor) -> Organization:
    organization = find_organization(session, actor.organization_id)
    if organization is None:
        raise NotFound("There is no such organization.")
    return organization


def _describe(organization: Organization) -> dict[str, Value]:
    return {
        "name": organization.name,
        "slug": organization.slug,
        "plan": organization.plan.value,
        "timezone": organization.timezone,
    }


def _check_free(organization: Organization, known: list[Organization]) -> None:
    """Raise Conflict if another organization has the name or the slug."""
    others = [other for other in known if other.organization_id != organization.organization_id]
    check_name_free(organization.name, (other.name for other in others), "organization")
    if organization.slug in {other.slug for other in others}:
        raise Conflict(
            f"Another organization has the slug {organization.slug!r}. Choose another slug.",
            code=ErrorCode.SLUG_TAKEN,
            field="slug",
        )
