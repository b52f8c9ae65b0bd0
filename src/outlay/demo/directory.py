"""The demo organization's directory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from outlay.demo.cast import (
    EMAIL_DOMAIN,
    GROUPS,
    KEY_NAMES,
    ORGANIZATION,
    OWNER,
    PEOPLE,
    WORKLOADS,
)
from outlay.domain.actor import Plan, Role
from outlay.domain.ids import ApiKeyId, GroupId, MemberId, OrganizationId, ProjectId
from outlay.domain.organization import (
    ApiKey,
    GroupMembership,
    Member,
    Organization,
    Project,
    UserGroup,
)
from outlay.kit.clock import to_us
from outlay.storage.directory.api_keys import create_api_key, delete_api_key
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.groups import create_group, create_membership
from outlay.storage.directory.members import create_member, delete_member
from outlay.storage.directory.organizations import create_organization
from outlay.storage.directory.projects import create_project

_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class DemoDirectory:
    """The created objects that the traffic refers to."""

    organization: Organization
    owner: Member
    keys: dict[str, list[ApiKey]] = field(default_factory=dict)
    """API keys by project name, most used first."""


def create_demo_directory(
    directory: Directory, random: Random, start: datetime, now: datetime
) -> DemoDirectory:
    """Create the whole directory in one transaction, as of `start`."""
    start_us, now_us = to_us(start), to_us(now)

    def new_id(prefix: str) -> str:
        return f"{prefix}_" + "".join(random.choices(_ID_LETTERS, k=16))

    organization = Organization(
        organization_id=OrganizationId(new_id("org")),
        name=ORGANIZATION,
        slug="acme",
        plan=Plan.ENTERPRISE,
        timezone="UTC",
    )
    members = _members(organization.organization_id, new_id)
    demo = DemoDirectory(organization=organization, owner=members[0])
    with directory.change() as session:
        create_organization(session, organization, start_us)
        for member in members:
            create_member(session, member, start_us)
        for workload in WORKLOADS:
            project = Project(
                project_id=ProjectId(new_id("prj")),
                organization_id=organization.organization_id,
                name=workload.project,
            )
            create_project(session, project, start_us)
            names = random.sample(KEY_NAMES, workload.keys)
            keys = [
                ApiKey(
                    api_key_id=ApiKeyId(new_id("key")),
                    organization_id=organization.organization_id,
                    project_id=project.project_id,
                    member_id=random.choice(members).member_id,
                    description=f"{workload.project.split()[0].lower()}-{name}",
                )
                for name in names
            ]
            for key in keys:
                create_api_key(session, key, start_us)
            demo.keys[workload.project] = keys
        groups = [
            UserGroup(
                group_id=GroupId(new_id("grp")),
                organization_id=organization.organization_id,
                name=name,
            )
            for name in GROUPS
        ]
        for group in groups:
            create_group(session, group, start_us)
        for membership in _memberships(members, groups, random, start, now):
            create_membership(session, membership)
        # One member was removed and one key deleted: their usage remains.
        delete_member(session, members[-1].member_id, now_us)
        delete_api_key(session, demo.keys["Staging"][-1].api_key_id, now_us)
    return demo


def _members(organization_id: OrganizationId, new_id: Callable[[str], str]) -> list[Member]:
    members = []
    for position, name in enumerate(PEOPLE):
        role = Role.ADMIN if position in {1, 2} else Role.DEVELOPER
        members.append(
            Member(
                member_id=MemberId(new_id("mem")),
                organization_id=organization_id,
                name=name,
                email=f"{_mailbox(name)}@{EMAIL_DOMAIN}",
                role=Role.OWNER if name == OWNER else role,
            )
        )
    return members


def _mailbox(name: str) -> str:
    first = name.split()[0].lower()
    return first.translate(str.maketrans("áéíóúüö", "aeiouuo"))


def _memberships(
    members: list[Member],
    groups: list[UserGroup],
    random: Random,
    start: datetime,
    now: datetime,
) -> list[GroupMembership]:
    """Everyone is in a group, some are in two or three, and every fifth moves mid-window."""
    long_ago = to_us(start - timedelta(days=30))
    memberships = []
    for position, member in enumerate(members):
        home, second, third = random.sample(groups, 3)
        moves = position % 5 == 4
        moved_us = to_us(start + (now - start) * random.uniform(0.4, 0.7))
        memberships.append(
            GroupMembership(
                group_id=home.group_id,
                member_id=member.member_id,
                valid_from_us=long_ago,
                valid_to_us=moved_us if moves else None,
            )
        )
        if moves or position % 3 == 0:
            memberships.append(
                GroupMembership(
                    group_id=second.group_id,
                    member_id=member.member_id,
                    valid_from_us=moved_us if moves else long_ago,
                )
            )
        if position % 7 == 0:
            memberships.append(
                GroupMembership(
                    group_id=third.group_id, member_id=member.member_id, valid_from_us=long_ago
                )
            )
    return memberships
