"""The directory: its tables are the sum of its migrations, its rules hold."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pysqlite3
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from argon2 import PasswordHasher
from sqlalchemy import Connection, create_engine
from tests.backdoor import engine_of
from tests.clocks import FixedClock
from tests.factories import NOW
from tests.integration.handed_out import BEFORE, check_handed_out, put_handed_out, upgrade_to

from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Role, Scope
from outlay.domain.answers import ZERO, Entry, EntryKind
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Conflict, Damaged, Invalid, NotFound, Unauthenticated, Unavailable
from outlay.domain.ids import ApiKeyId, EventId, GroupId, MemberId, TokenId
from outlay.domain.organization import ApiKey, GroupMembership, UserGroup, operator_of
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.kit.secrets import digest_secret
from outlay.services.access.authentication import SESSION_IDLE, SESSION_LIFETIME
from outlay.services.access.sign_in_throttle import FREE_OF_ACCOUNT_HERE
from outlay.services.analytics.colours import remember_slots
from outlay.services.bundle import Services
from outlay.services.directory.text_rules import check_slug
from outlay.settings import Settings
from outlay.storage.directory import migrations
from outlay.storage.directory.access_tokens import revoke_access_token
from outlay.storage.directory.api_keys import create_api_key
from outlay.storage.directory.engine import HEAD
from outlay.storage.directory.groups import create_group, create_membership
from outlay.storage.directory.members import delete_member
from outlay.storage.directory.sqlite import SqliteDirectory
from outlay.storage.directory.tables import Base
from outlay.storage.ledger.rows import from_row

PASSWORD = "correct horse battery"


BEFORE_ACCESS = "43c75358bfe8"
"""The migration before access, plans and the audit trail."""


@pytest.mark.filterwarnings("ignore:.*expression-based index.*")
def test_migrations_create_exactly_the_mapped_tables(tmp_path: Path) -> None:
    directory = SqliteDirectory(tmp_path / "d.sqlite3")
    with engine_of(directory).connect() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, Base.metadata)
    directory.close()

    assert differences == []


def test_opening_again_migrates_nothing(tmp_path: Path) -> None:
    SqliteDirectory(tmp_path / "d.sqlite3").close()
    SqliteDirectory(tmp_path / "d.sqlite3").close()


def test_tables_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    SqliteDirectory(path).close()
    with pysqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from-the-future'")
    connection.close()

    with pytest.raises(Damaged, match="newer version of Outlay"):
        SqliteDirectory(path)


@pytest.fixture
def owner(services: Services) -> str:
    """The id of an owner who can sign in."""
    administration = services.administration
    organization = administration.organizations.create("Acme")
    return administration.sign_in.set_owner(organization, "me@example.test", PASSWORD).member_id


def new_token(services: Services, member_id: str, expires_at: datetime | None = None) -> str:
    organization = services.administration.organizations.find_by_name(None)
    assert organization is not None
    _, token = services.administration.tokens.create(
        operator_of(organization),
        description="t",
        scopes=[Scope.USAGE_READ],
        expires_at=expires_at,
        member_id=MemberId(member_id),
    )
    return token


def sign_in(services: Services, password: str = PASSWORD, organization: str = "") -> str:
    """In a separate thread: the page tests leave an event loop running in this one."""
    signing = services.administration.sign_in.sign_in(
        "ME@example.test", password, "127.0.0.1", "req_1", organization=organization
    )
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, signing).result()


def test_session_is_valid_until_it_ends(services: Services, owner: str, clock: FixedClock) -> None:
    token = sign_in(services)
    assert services.access.actor_of_session(token).member_id == owner

    clock.instant += SESSION_IDLE * 1.01
    with pytest.raises(Unauthenticated):
        services.access.actor_of_session(token)


def test_active_session_ends_after_its_lifetime(
    services: Services, owner: str, clock: FixedClock
) -> None:
    token, step = sign_in(services), SESSION_IDLE * 0.9
    for _ in range(int(SESSION_LIFETIME / step)):
        clock.instant += step
        assert services.access.actor_of_session(token).member_id == owner

    clock.instant += step
    with pytest.raises(Unauthenticated):
        services.access.actor_of_session(token)


def test_signing_out_ends_the_session_immediately(services: Services, owner: str) -> None:
    token = sign_in(services)
    services.administration.sign_in.sign_out(token, "req_2")

    with pytest.raises(Unauthenticated):
        services.access.actor_of_session(token)


def test_removed_member_loses_sessions_and_tokens(services: Services, owner: str) -> None:
    session_token = sign_in(services)
    access_token = new_token(services, owner)
    with services.directory.write() as session:
        delete_member(session, MemberId(owner), to_us(NOW))

    with pytest.raises(Unauthenticated):
        services.access.actor_of_session(session_token)
    with pytest.raises(Unauthenticated):
        services.access.actor_of_token(access_token)
    with pytest.raises(Unauthenticated):
        sign_in(services)


def test_revoked_expired_and_altered_tokens_are_refused(
    services: Services, owner: str, clock: FixedClock
) -> None:
    access = services.access
    good = new_token(services, owner)
    short = new_token(services, owner, NOW + SESSION_IDLE)
    revoked = new_token(services, owner)
    with services.directory.write() as session:
        revoke_access_token(session, TokenId(revoked.split("_")[1]), to_us(NOW))
    assert access.actor_of_token(good).scopes == {Scope.USAGE_READ}
    assert access.actor_of_token(short).role is Role.OWNER
    clock.instant += SESSION_IDLE

    for bad in (short, revoked, good[:-1], good + "x", good.replace("ota_", "otl_"), "", "ota__"):
        with pytest.raises(Unauthenticated):
            access.actor_of_token(bad)


def test_ten_wrong_passwords_block_sign_in(
    services: Services, owner: str, clock: FixedClock
) -> None:
    for _ in range(FREE_OF_ACCOUNT_HERE):
        with pytest.raises(Unauthenticated):
            sign_in(services, "wrong")
    with pytest.raises(Unavailable):
        sign_in(services)

    clock.instant += SESSION_IDLE
    assert sign_in(services)


@pytest.mark.parametrize(
    ("email", "password"),
    [("me@example.test", "short"), ("nobody", PASSWORD), ("a@b@c", PASSWORD)],
)
def test_owners_need_an_address_and_a_long_password(
    services: Services, email: str, password: str
) -> None:
    organization = services.administration.organizations.create("Acme")

    with pytest.raises(Invalid):
        services.administration.sign_in.set_owner(organization, email, password)


def test_organization_names_are_unique(services: Services) -> None:
    services.administration.organizations.create("Acme")
    with pytest.raises(Conflict):
        services.administration.organizations.create("Acme")
    services.administration.organizations.create("Other")
    with pytest.raises(Invalid, match="`--organization` is required"):
        services.administration.organizations.find_by_name(None)
    with pytest.raises(NotFound):
        services.administration.organizations.find_by_name("Nobody")


def test_request_is_attributed_to_project_creator_and_current_groups(
    services: Services, owner: str
) -> None:
    actor = services.access.actor_of_session(sign_in(services))
    project, _ = services.administration.projects.ensure(actor, "Project")
    moved_us = to_us(NOW) - 3_600_000_000
    with services.directory.write() as session:
        key = ApiKey(
            api_key_id=ApiKeyId("key_1"),
            organization_id=actor.organization_id,
            project_id=project.project_id,
            member_id=MemberId(owner),
            description="key",
        )
        create_api_key(session, key, 0)
        for name, valid_from, valid_to in (("a", 0, moved_us), ("b", moved_us, None)):
            group = UserGroup(
                group_id=GroupId(name), organization_id=actor.organization_id, name=name
            )
            create_group(session, group, 0)
            create_membership(
                session,
                GroupMembership(
                    group_id=GroupId(name),
                    member_id=MemberId(owner),
                    valid_from_us=valid_from,
                    valid_to_us=valid_to,
                ),
            )
    reports = [
        UsageReport(
            event_id=EventId(str(at_us)),
            event_time_us=at_us,
            provider="openai",
            mapping="openai/gpt-4o",
            usage=TokenUsage(1, 1),
            api_key_id="key_1",
            project_id="prj_claimed",
            user_id="claimed",
        )
        for at_us in (moved_us - 1, moved_us)
    ]

    services.recorder.record(actor.organization_id, reports)

    events = [from_row(row) for batch in services.ledger.read_batches(0) for row in batch.rows]
    assert [event.groups for event in events] == ["a", "b"]
    assert {(event.project_id, event.user_id, event.member_id) for event in events} == {
        (project.project_id, owner, owner)
    }


def entries(keys: list[str]) -> list[Entry]:
    return [Entry(kind=EntryKind.VALUE, key=key, label=key, total=ZERO, by_step={}) for key in keys]


def test_colour_slots_are_permanent(services: Services) -> None:
    organization = services.administration.organizations.create("Acme").organization_id
    first = remember_slots(
        services.directory, organization, Dimension.MODEL, entries(["a", "b", "c"])
    )

    again = remember_slots(
        services.directory, organization, Dimension.MODEL, entries(["z", "c", "b", "a"])
    )

    assert first == {"a": 1, "b": 2, "c": 3}
    assert again == {**first, "z": 4}


def test_head_constant_is_the_newest_migration() -> None:
    location = Path(migrations.__file__).parent
    config = Config()
    config.set_main_option("script_location", str(location))

    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


# The version before


def rows_of_before(connection: Any, now_us: int) -> None:
    """Rows of an installation from before invitations and slugs."""
    for organization_id, name in (
        ("org_a", "Acme Corp"),
        ("org_b", "acme-corp"),
        ("org_c", "日本"),
    ):
        connection.execute(
            "INSERT INTO organization (organization_id, name, plan, timezone, created_at_us) "
            "VALUES (?, ?, 'enterprise', 'UTC', ?)",
            (organization_id, name, now_us),
        )
    connection.execute(
        "INSERT INTO member (member_id, organization_id, name, email, role, password_hash, "
        "created_at_us) VALUES ('mem_a', 'org_a', 'Me', 'me@example.test', 'owner', ?, ?)",
        (PasswordHasher().hash(PASSWORD), now_us),
    )
    connection.execute(
        "INSERT INTO member (member_id, organization_id, name, email, role, created_at_us, "
        "deleted_at_us) VALUES ('mem_b', 'org_a', 'Gone', 'gone@example.test', 'admin', ?, ?)",
        (now_us, now_us),
    )
    connection.execute(
        "INSERT INTO project (project_id, organization_id, name, created_at_us) "
        "VALUES ('prj_a', 'org_a', 'Checkout', ?)",
        (now_us,),
    )
    connection.execute(
        "INSERT INTO access_token (token_id, member_id, description, digest, scopes, created_at_us)"
        " VALUES ('tok', 'mem_a', 'mine', ?, 'usage:read', ?)",
        (digest_secret("secret"), now_us),
    )


@contextmanager
def directory_of_before(folder: Path, revision: str) -> Iterator[Connection]:
    """A directory created by an older version."""
    engine = create_engine(f"sqlite:///{folder / 'outlay.sqlite3'}", module=pysqlite3)
    with engine.connect() as connection:
        upgrade_to(connection, revision)
        yield connection
        connection.commit()
    engine.dispose()


def test_older_installation_is_migrated_completely(tmp_path: Path, clock: FixedClock) -> None:
    with directory_of_before(tmp_path, BEFORE_ACCESS) as connection:
        raw: Any = connection.connection.driver_connection
        rows_of_before(raw, to_us(NOW))
        raw.commit()

    with open_installation(Settings(data=tmp_path), clock) as services:
        administration = services.administration
        slugs = {o.organization_id: o.slug for o in administration.organizations.all()}
        found = administration.organizations.find_by_name("Acme Corp")
        assert found is not None
        acme = operator_of(found)
        assert sign_in(services, organization=found.slug)
        token = services.access.actor_of_token("ota_tok_secret")
        members = administration.members.list_for(acme)
        projects = administration.projects.list_for(acme)
        # An address of a removed member may be invited again.
        administration.members.invite(acme, "gone@example.test", Role.DEVELOPER)
        report = administration.audit.verify()  # also of the rows' digests, which are created there

    assert len(set(slugs.values())) == 3
    assert all(check_slug(slug) for slug in slugs.values())
    assert (token.member_id, token.role) == ("mem_a", Role.OWNER)
    assert [member.member_id for member in members] == ["mem_a"]
    assert [project.name for project in projects] == ["Checkout"]
    assert report.faults == []


def test_issuers_of_links_and_tokens_are_migrated_from_the_audit_trail(tmp_path: Path) -> None:
    with directory_of_before(tmp_path, BEFORE) as connection:
        put_handed_out(connection)

    directory = SqliteDirectory(tmp_path / "outlay.sqlite3")
    with directory.read() as session:
        check_handed_out(session)
    directory.close()
