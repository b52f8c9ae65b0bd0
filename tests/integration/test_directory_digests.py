"""Each row of the directory has a digest; changes from outside are found."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pysqlite3
import pytest
from tests.backdoor import engine_of
from tests.clocks import FixedClock
from tests.postgres import Cluster

from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Actor, Role, Scope
from outlay.domain.audit import Action, AuditFilter
from outlay.domain.errors import Damaged, Unauthenticated
from outlay.domain.ids import MemberId
from outlay.domain.organization import operator_of
from outlay.services.bundle import Services
from outlay.services.directory.actors import actor_for
from outlay.settings import Settings
from outlay.storage.directory.copying import put_rows, read_rows
from outlay.storage.directory.digests import (
    NOT_COVERED,
    Fault,
    check_stored,
    covered_tables,
    redigest,
)
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.members import update_member
from outlay.storage.directory.postgres import PostgresDirectory
from outlay.storage.directory.tables import Base
from outlay.storage.postgres import PostgresDatabase

PASSWORD = "several words are best"


@dataclass
class Place:
    """An organization with two members, whose database can be changed from outside."""

    services: Services
    path: Path
    operator: Actor
    owner_id: str
    other_id: str
    token: str

    def run(self, statement: str) -> None:
        """A statement in a database shell."""
        connection = pysqlite3.connect(self.path)
        connection.execute(statement)
        connection.commit()
        connection.close()

    def faults(self) -> list[Fault]:
        return faults_of(self.services.directory)


def faults_of(directory: Directory) -> list[Fault]:
    return [fault for table in covered_tables() for fault in directory.faults(table)]


@pytest.fixture
def place(tmp_path: Path, clock: FixedClock) -> Iterator[Place]:
    settings = Settings(data=tmp_path)
    with open_installation(settings, clock) as services:
        administration = services.administration
        organization = administration.organizations.create("Acme")
        operator = operator_of(organization)
        owner = administration.sign_in.set_owner(organization, "me@example.test", PASSWORD)
        _, secret = administration.members.invite(operator, "it@example.test", Role.DEVELOPER)
        administration.sign_in.accept(secret, "It", PASSWORD, "req")
        (other,) = [
            one
            for one in administration.members.list_for(operator)
            if one.email == "it@example.test"
        ]
        _, token = administration.tokens.create(
            operator, description="t", scopes=[Scope.USAGE_READ], member_id=other.member_id
        )
        yield Place(
            services, settings.database_path, operator, owner.member_id, other.member_id, token
        )


def test_every_table_has_digests_or_a_documented_reason() -> None:
    names = set(Base.metadata.tables)
    assert {table.name for table in covered_tables()} | set(NOT_COVERED) == names | {
        "alembic_version"
    }
    assert {"member", "api_key", "access_token", "spend_limit", "upstream", "session"} <= {
        table.name for table in covered_tables()
    }


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE member SET role = 'owner' WHERE role = 'developer'", "changed"),
        ("UPDATE member SET member_id = member_id || 'x' WHERE role = 'owner'", "added"),
        ("DELETE FROM access_token", "missing"),
        (
            "INSERT INTO sign_in_failure (failure_id, source, at_us) VALUES ('f', x'00', 1)",
            "added",
        ),
        ("UPDATE row_digest SET digest = x'00' WHERE table_name = 'project'", "changed"),
        ("DELETE FROM row_digest WHERE table_name = 'organization'", "added"),
    ],
)
def test_foreign_changes_are_detected(place: Place, statement: str, what: str) -> None:
    place.services.administration.projects.create(place.operator, "P")
    assert place.faults() == []

    place.run(statement)

    assert what in {fault.what for fault in place.faults()}
    assert not place.services.administration.audit.verify().is_intact


def test_damaged_row_grants_no_access_and_others_do(place: Place) -> None:
    place.run("UPDATE member SET role = 'owner' WHERE role = 'developer'")

    with pytest.raises(Damaged, match="audit accept"):
        place.services.access.actor_of_token(place.token)

    with place.services.directory.read() as session:
        assert (
            actor_for(session, MemberId(place.owner_id), frozenset(), place.operator.channel)
            is not None
        )


def test_damaged_key_is_refused_and_others_can_be_revoked(place: Place) -> None:
    keys, project = place.services.administration.keys, "P"
    created = place.services.administration.projects.create(place.operator, project)
    made = [
        keys.create(
            place.operator,
            project_id=created.project_id,
            description=name,
            member_id=MemberId(place.owner_id),
        )
        for name in ("damaged", "revoked", "good")
    ]
    for _, secret in made:
        api_key = asyncio.run(place.services.api_keys.authenticate(secret))
        assert not place.services.limits.are_set(api_key)

    place.run("UPDATE api_key SET trusts_caller = 1 WHERE description = 'damaged'")
    place.run("UPDATE organization SET timezone = 'Asia/Tokyo'")
    keys.revoke(place.operator, made[1][0].api_key_id)
    with pytest.raises(Damaged):  # of the organization, whose limits are cached
        place.services.watch.check()

    with pytest.raises(Damaged):
        asyncio.run(place.services.api_keys.authenticate(made[0][1]))
    with pytest.raises(Unauthenticated):
        asyncio.run(place.services.api_keys.authenticate(made[1][1]))
    asyncio.run(place.services.api_keys.authenticate(made[2][1]))


def test_damage_persists_through_other_changes(place: Place) -> None:
    place.run("UPDATE member SET role = 'admin' WHERE role = 'developer'")

    with pytest.raises(Damaged, match="audit accept"):
        place.services.administration.members.update(
            place.operator, MemberId(place.other_id), name="Another name"
        )

    assert [fault.name for fault in place.faults()] == [place.other_id]


def test_deleted_rows_leave_no_faults(place: Place) -> None:
    place.run("UPDATE session SET seen_at_us = seen_at_us + 1")
    assert {fault.table for fault in place.faults()} == {"session"}

    place.services.administration.members.remove(place.operator, MemberId(place.other_id))

    assert place.faults() == []


def test_operator_can_accept_changes_which_is_audited(place: Place) -> None:
    place.run("UPDATE member SET name = 'Mended by hand' WHERE role = 'developer'")

    accepted = place.services.administration.audit.accept()

    assert [fault.name for fault in accepted] == [place.other_id]
    assert place.faults() == []
    assert place.services.access.actor_of_token(place.token).member_name == "Mended by hand"
    page = place.services.administration.audit.page(
        place.operator, AuditFilter(), before_number=None, limit=1
    )
    assert page[0].entry.action == Action.DIRECTORY_ACCEPT
    assert place.services.administration.audit.verify().is_intact
    assert place.services.administration.audit.accept() == []


def test_migration_rewrites_digests_except_of_damaged_rows(place: Place) -> None:
    place.run("UPDATE member SET role = 'admin' WHERE role = 'developer'")
    place.run("DELETE FROM access_token")
    before = place.faults()

    with engine_of(place.services.directory).begin() as connection:
        damaged = check_stored(connection)
        redigest(connection, damaged)

    assert place.faults() == before == sorted(damaged, key=before.index)
    assert {fault.what for fault in before} == {"changed", "missing"}


def test_digests_are_the_same_on_postgres(place: Place, cluster: Cluster) -> None:
    place.run("UPDATE member SET role = 'admin' WHERE role = 'developer'")
    database = PostgresDatabase(cluster.create_database())
    directory = PostgresDirectory(database)
    with place.services.directory.snapshot() as source, directory.write() as target:
        put_rows(target, read_rows(source))

    assert faults_of(directory) == place.faults() != []

    with directory.change() as session:
        (owner,) = [
            one
            for one in place.services.administration.members.list_for(place.operator)
            if one.member_id == place.owner_id
        ]
        update_member(session, owner)
    assert faults_of(directory) == place.faults()
    database.close()
