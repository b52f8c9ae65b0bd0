"""The directory's tables and statements on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from tests.backdoor import engine_of
from tests.clocks import FixedClock
from tests.factories import NOW
from tests.integration.handed_out import BEFORE, check_handed_out, put_handed_out, upgrade_to
from tests.postgres import Cluster

from outlay.bootstrap.administration import administer
from outlay.bootstrap.keys import open_checkpoints
from outlay.domain.actor import Plan, Role, Scope
from outlay.domain.audit import AuditFilter
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.ids import MemberId
from outlay.domain.money import Pusd
from outlay.domain.organization import operator_of
from outlay.domain.spend_limit import LimitInterval, LimitScope
from outlay.kit.clock import to_us
from outlay.kit.ids import new_id
from outlay.services.access.authentication import Access
from outlay.services.access.passwords import Passwords
from outlay.services.bundle import Administration
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.settings import Settings
from outlay.storage.directory.audit import destroy_personal_values
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.invitations import delete_untaken
from outlay.storage.directory.members import create_member
from outlay.storage.directory.mentions import count_mentions
from outlay.storage.directory.postgres import PostgresDirectory
from outlay.storage.directory.sessions import delete_ended_sessions
from outlay.storage.directory.tables import Base, ProjectRow
from outlay.storage.postgres import PostgresDatabase
from outlay.storage.row_level_security import begin_work, enter_tenant

PASSWORD = "several words are best"


@pytest.fixture(scope="module")
def directory(cluster: Cluster) -> Iterator[Directory]:
    """The tables, created by the migrations."""
    database = PostgresDatabase(cluster.create_database())
    yield PostgresDirectory(database)
    database.close()


@pytest.fixture
def administration(directory: Directory, tmp_path: Path) -> Iterator[Administration]:
    """The services that set it up."""
    settings = Settings(data=tmp_path, master_key="11" * 32, audit_key="22" * 32)
    clock, passwords = FixedClock(NOW), Passwords()
    trail = AuditedChanges(directory, open_checkpoints(settings), clock)
    yield administer(settings, directory, trail, passwords, clock)
    passwords.close()


@pytest.mark.filterwarnings("ignore:.*expression-based index.*")
def test_migrations_create_exactly_the_mapped_tables(directory: Directory) -> None:
    with engine_of(directory).connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_organization_is_managed_as_on_sqlite(
    directory: Directory, administration: Administration
) -> None:
    a, access = administration, Access(directory, FixedClock(NOW))
    organization = a.organizations.create("Acme", plan=Plan.ENTERPRISE)
    with pytest.raises(Conflict):
        a.organizations.create("Acme")
    operator = operator_of(organization)
    a.sign_in.set_owner(organization, "boss@example.test", PASSWORD)
    _, secret = a.members.invite(operator, "Ada@example.test", Role.DEVELOPER)
    session = a.sign_in.accept(secret, "Ada", PASSWORD, "req")
    ada = access.actor_of_session(session)
    assert (ada.role, ada.email) == (Role.DEVELOPER, "Ada@example.test")
    with pytest.raises(NotFound):
        a.sign_in.accept(secret, "Ada", PASSWORD, "req")
    with pytest.raises(Conflict):
        a.members.invite(operator, "ADA@example.test", Role.DEVELOPER)
    a.members.create_password_link(operator, ada.member_id)
    a.members.update(operator, ada.member_id, name="Ada L.", role=Role.ADMIN)
    project = a.projects.create(operator, "Checkout")
    key, _ = a.keys.create(
        operator, project_id=project.project_id, description="k", member_id=ada.member_id
    )
    a.keys.revoke(operator, key.api_key_id)
    group = a.groups.create(operator, "Analysts")
    a.groups.add_member(operator, group.group_id, ada.member_id, NOW - timedelta(days=1))
    a.groups.remove_member(operator, group.group_id, ada.member_id)
    upstream = a.upstreams.create(operator, provider="openai", secret="sk-secret")
    a.upstreams.put_mapping(
        operator, name="fast", upstream_id=upstream.upstream_id, model="gpt-5.5"
    )
    a.prices.create(operator, {"model": "openai/gpt-5.5", "input": "4.25", "output": "1"})
    a.limits.put(operator, LimitScope.PROJECT, project.project_id, LimitInterval.DAY, Pusd(10**12))
    a.limits.put(operator, LimitScope.PROJECT, project.project_id, LimitInterval.DAY, Pusd(10**13))
    assert [limit.amount_pusd for limit in a.limits.list_for(operator)] == [10**13]
    _, token = a.tokens.create(
        operator, description="t", scopes=[Scope.USAGE_READ], member_id=ada.member_id
    )
    assert access.actor_of_token(token).role is Role.ADMIN
    a.sso.put(operator, issuer="https://id.example.test", client_id="c", secret="s")
    with pytest.raises(Invalid):
        a.sso.put(operator, issuer="http://id.example.test", client_id="c")
    a.members.remove(operator, ada.member_id)
    _, secret = a.members.invite(operator, "ada@example.test", Role.DEVELOPER)
    a.sign_in.accept(secret, "Ada again", PASSWORD, "req")

    numbers = [shown.entry.number for shown in a.audit.all(operator, AuditFilter())]
    assert numbers == list(range(len(numbers), 0, -1))
    assert a.audit.verify().faults == []
    with directory.write() as work:
        assert destroy_personal_values(work, [ada.member_id])
        delete_untaken(work, organization.organization_id, to_us(NOW) + 10**15)
        delete_ended_sessions(work, 0, 0)


def test_older_directory_is_migrated_with_issuers(cluster: Cluster) -> None:
    database = PostgresDatabase(cluster.create_database())
    with database.engine.begin() as connection:
        upgrade_to(connection, BEFORE)
        put_handed_out(connection)
    with PostgresDirectory(database).read() as session:
        check_handed_out(session)
    database.close()


def test_organizations_can_have_members_with_the_same_address(
    directory: Directory, administration: Administration
) -> None:
    organizations = [administration.organizations.create(name) for name in ("First", "Second")]
    for organization in organizations:
        administration.sign_in.set_owner(organization, "Both@example.test", PASSWORD)
        present = administration.members.find_by_email(operator_of(organization), None)
        again = replace(present, member_id=MemberId(new_id("mem")), email="both@EXAMPLE.test")
        with pytest.raises(IntegrityError), directory.write() as session:
            create_member(session, again, to_us(NOW))
    sizes = [len(administration.members.list_for(operator_of(known))) for known in organizations]
    assert sizes == [1, 1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET target = 'x'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "UPDATE personal_value SET value = 'x'",
    ],
)
def test_database_refuses_to_change_an_entry(
    directory: Directory, administration: Administration, statement: str
) -> None:
    operator = operator_of(administration.organizations.create(f"Acme {statement}"))
    administration.members.invite(operator, "ada@example.test", Role.DEVELOPER)
    before = list(administration.audit.all(operator, AuditFilter()))
    with (
        pytest.raises(DBAPIError, match="never changed"),
        engine_of(directory).begin() as connection,
    ):
        connection.execute(text(statement))
    assert list(administration.audit.all(operator, AuditFilter())) == before


def test_mentions_of_a_person_are_counted(
    directory: Directory, administration: Administration
) -> None:
    operator = operator_of(administration.organizations.create("Counted"))
    administration.projects.create(operator, "Ada_Lovelace's")
    administration.projects.create(operator, "Adaxlovelace")
    with directory.read() as session:
        found = count_mentions(session, operator.organization_id, ["ADA_LOVELACE"])
    assert found == {"project.name": 1, "audit_entry.after": 1}


def test_work_for_one_organization_cannot_see_another(
    directory: Directory, administration: Administration
) -> None:
    """Not even with a statement that lacks the condition on the organization."""
    mine, theirs = (administration.organizations.create(name) for name in ("Mine", "Theirs"))
    for organization in (mine, theirs):
        administration.projects.create(operator_of(organization), "Project")

    def seen() -> set[str]:
        with directory.read() as session:
            return set(session.scalars(select(ProjectRow.organization_id)))

    every = {mine.organization_id, theirs.organization_id}
    assert every <= seen()
    with begin_work():
        assert every <= seen()  # nobody is authenticated yet
        enter_tenant(mine.organization_id)
        assert seen() == {mine.organization_id}
        with pytest.raises(ProgrammingError, match="row-level security"):
            administration.projects.create(operator_of(theirs), "Smuggled")
    assert every <= seen()
