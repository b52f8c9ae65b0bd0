"""The audit trail: one entry per change, none for refused ones, no undetected alteration."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pysqlite3
import pytest
from tests.acceptance.conftest import Server
from tests.acceptance.test_access_matrix import CHANGES, RULES, ask
from tests.acceptance.world import PASSWORD, World, make_world
from tests.clocks import FixedClock
from tests.factories import NOW
from typer.testing import CliRunner

from outlay.bootstrap.administration import open_administration
from outlay.bootstrap.installation import open_installation
from outlay.cli.main import app
from outlay.domain.actor import Channel, Role, Scope
from outlay.domain.audit import GENESIS, Action, AuditEntry, AuditFilter
from outlay.domain.errors import Invalid
from outlay.domain.ids import OrganizationId
from outlay.domain.money import Pusd
from outlay.domain.organization import operator_of
from outlay.domain.policy import Permission
from outlay.domain.spend_limit import LimitInterval, LimitScope
from outlay.kit.logs import FIELDS
from outlay.services.bundle import Administration
from outlay.services.directory.audit_log import ShownEntry
from outlay.settings import Settings
from outlay.storage.checkpoints import Checkpoint, CheckpointFile
from outlay.storage.directory.audit import read_chain
from outlay.storage.directory.projects import rename_project
from outlay.storage.directory.sqlite import SqliteDirectory


def entries(world: World, channel: Channel | None = None) -> list[ShownEntry]:
    """All entries of an organization, newest first."""
    found = world.administration.audit.all(world.operator, AuditFilter())
    return [shown for shown in found if channel is None or shown.entry.channel == channel]


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    """An organization."""
    return make_world(server)


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_one_entry_and_refused_changes_have_none(world: World, name: str) -> None:
    person = world.add_person(Role.OWNER)
    before = len(entries(world, Channel.TOKEN))

    answer = ask(name, RULES[name], person.bearer, world, world, person)

    assert answer.is_success, answer.text
    found = entries(world, Channel.TOKEN)
    assert len(found) == before + 1
    entry = found[0].entry
    assert entry.author_id == person.member.member_id
    assert entry.credential_id == person.token.split("_")[1]
    assert entry.request_id == answer.headers["x-request-id"]
    assert entry.action in set(Action)
    assert entry.target

    body = RULES[name].body
    wrong = {"nobody": "reads this"} if body is not None else None
    path = name.partition(" ")[2].replace("{", "").replace("}", "") + "?scope=x&name="
    refused = httpx.request(
        name.partition(" ")[0], world.server.url + path, headers=person.bearer, json=wrong
    )
    if not refused.is_success:
        assert len(entries(world, Channel.TOKEN)) == before + 1


def test_unchanged_values_create_no_entry(world: World) -> None:
    owner = world.people[Role.OWNER]
    project_id = world.project()
    (known,) = [
        p
        for p in world.administration.projects.list_for(world.operator)
        if p.project_id == project_id
    ]
    before = len(entries(world))

    answer = httpx.patch(
        f"{world.server.url}/api/v1/projects/{project_id}",
        headers=owner.bearer,
        json={"name": known.name},
    )

    assert answer.status_code == 200
    assert len(entries(world)) == before


def test_entries_contain_no_secrets(world: World) -> None:
    person = world.people[Role.OWNER]
    secrets = [person.token.split("_")[2], person.session, PASSWORD, world.key(person.member)[1]]
    created = world.administration.upstreams.create(
        world.operator, provider="openai", name="secretive", secret="sk-0123456789abcdef"
    )
    world.administration.upstreams.update(
        world.operator, created.upstream_id, secret="sk-fedcba9876543210"
    )
    text = httpx.get(f"{world.server.url}/api/v1/exports/audit.csv", headers=person.bearer).text

    for secret in (*secrets, "0123456789abcdef", "fedcba9876543210", "$argon2"):
        assert secret not in text
    assert '""secret"": ""replaced""' in text


def test_filters_pages_and_export_are_consistent(server: Server) -> None:
    make_world(server)  # has no entries below
    world = make_world(server)
    owner = world.people[Role.OWNER]
    for number in range(5):
        httpx.post(
            f"{server.url}/api/v1/projects", headers=owner.bearer, json={"name": f"Mine {number}"}
        )

    def get(query: str) -> dict[str, Any]:
        answer = httpx.get(f"{server.url}/api/v1/audit?{query}", headers=owner.bearer)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    everything = get("limit=500")["entries"]
    mine = f"actor={owner.member.member_id}&action=project.create"
    first = get(f"{mine}&limit=2")
    rest = get(f"{mine}&limit=2&before={first['next']}")
    last = get(f"{mine}&limit=2&before={rest['next']}")
    paged = [*first["entries"], *rest["entries"], *last["entries"]]
    assert [entry["after"]["name"] for entry in paged] == [f"Mine {n}" for n in (4, 3, 2, 1, 0)]
    assert last["next"] is None
    assert get(f"target={paged[0]['target']}")["entries"] == [paged[0]]
    day = NOW.date().isoformat()
    assert get(f"from={day}&to={day}&limit=500")["entries"] == everything
    assert get("to=2026-11-19")["entries"] == []
    assert get(f"from={day}&timezone=Pacific/Auckland&limit=500")["entries"] == everything
    numbers = [entry["number"] for entry in everything]
    assert numbers == list(range(len(numbers), 0, -1))
    text = httpx.get(f"{server.url}/api/v1/exports/audit.csv", headers=owner.bearer).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["number"]) for row in rows] == numbers
    for query in (
        "actions=x",
        "action=nothing",
        "from=x",
        "limit=0",
        "before=0",
        "from=2026-12-01&to=2026-11-01",
    ):
        refused = httpx.get(f"{server.url}/api/v1/audit?{query}", headers=owner.bearer)
        assert refused.status_code == 400, query
        assert refused.json()["field"]


# Tampering


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with entries of many kinds."""
    data = tmp_path_factory.mktemp("trail") / "data"
    with open_administration(Settings(data=data), FixedClock(NOW)) as opened:
        fill(opened)
        report = opened.audit.verify()
    assert report.is_intact
    assert report.entries == report.checkpoints == 16
    assert (report.unsigned, report.organizations) == (0, 2)
    return data


def fill(opened: Administration) -> None:
    """Make one change of many kinds."""
    organization = opened.organizations.create("Acme")
    operator = operator_of(organization)
    owner = opened.sign_in.set_owner(organization, "me@example.test", PASSWORD)
    opened.organizations.update(operator, timezone="Asia/Kolkata")
    project = opened.projects.create(operator, "Production")
    key, _ = opened.keys.create(
        operator, project_id=project.project_id, description="k", member_id=owner.member_id
    )
    opened.keys.revoke(operator, key.api_key_id)
    group = opened.groups.create(operator, "Group")
    opened.groups.add_member(operator, group.group_id, owner.member_id)
    opened.prices.create(operator, {"model": "gpt-5.5", "input": "1"})
    opened.limits.put(operator, LimitScope.PROJECT, project.project_id, LimitInterval.DAY, Pusd(5))
    opened.members.invite(operator, "you@example.test", Role.ADMIN)
    opened.members.update(operator, owner.member_id, name="Me")
    opened.tokens.create(
        operator, description="t", scopes=[Scope.USAGE_READ], member_id=owner.member_id
    )
    upstream = opened.upstreams.create(operator, provider="openai", secret="sk-0123456789abcdef")
    opened.upstreams.delete(operator, upstream.upstream_id)
    opened.organizations.create("Other")


@pytest.fixture
def copy(trail: Path, tmp_path: Path) -> Path:
    """A copy of the directory, to be tampered with."""
    return Path(shutil.copytree(trail, tmp_path / "data"))


def verify(data: Path) -> list[str]:
    """The faults that are found."""
    with open_administration(Settings(data=data), FixedClock(NOW)) as opened:
        return opened.audit.verify().faults


def open_as_intruder(data: Path) -> Any:
    """The database without the triggers that refuse changes: anyone who can write to it can drop
    them."""
    connection = pysqlite3.connect(data / "outlay.sqlite3")
    connection.execute("PRAGMA foreign_keys=OFF")
    triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
    for (name,) in triggers.fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    return connection


def rewrite(data: Path, *statements: str) -> None:
    """Change the database outside Outlay."""
    connection = open_as_intruder(data)
    for statement in statements:
        assert connection.execute(statement).rowcount > 0, statement
    connection.commit()
    connection.close()


def numbers(data: Path) -> list[tuple[str, int]]:
    """The numbers of the existing entries."""
    connection = pysqlite3.connect(data / "outlay.sqlite3")
    found = connection.execute("SELECT organization_id, number FROM audit_entry").fetchall()
    connection.close()
    return [(organization, int(number)) for organization, number in found]


def main_organization(data: Path) -> str:
    """The organization with the most entries."""
    return max(numbers(data), key=lambda found: found[1])[0]


COLUMNS = {
    "time_us": "time_us + 1",
    "channel": "'session'",
    "author_id": "author_id || 'x'",
    "credential_id": "'stolen'",
    "request_id": "'req_other'",
    "action": "'project.rename'",
    "target": "target || 'x'",
    "before": "'{}'",
    "after": '\'{"name":"forged"}\'',
    "digest": "zeroblob(32)",
}


@pytest.mark.parametrize("column", COLUMNS)
def test_every_tampered_entry_is_detected(trail: Path, copy: Path, column: str) -> None:
    for organization, number in numbers(trail):
        rewrite(
            copy,
            f"UPDATE audit_entry SET {column} = {COLUMNS[column]} "
            f"WHERE organization_id = '{organization}' AND number = {number}",
        )
        faults = verify(copy)
        assert any(f"{organization}, entry {number}" in fault for fault in faults), (number, faults)
        shutil.copy(trail / "outlay.sqlite3", copy / "outlay.sqlite3")
    assert verify(copy) == []


def test_every_deleted_entry_is_detected(trail: Path, copy: Path) -> None:
    for organization, number in numbers(trail):
        where = f"WHERE organization_id = '{organization}' AND number = {number}"
        rewrite(copy, f"DELETE FROM audit_entry {where}")
        assert verify(copy), number
        shutil.copy(trail / "outlay.sqlite3", copy / "outlay.sqlite3")


def test_swapped_entries_are_detected(copy: Path) -> None:
    organization = main_organization(copy)
    where = f"WHERE organization_id = '{organization}' AND number"
    rewrite(
        copy,
        f"UPDATE audit_entry SET number = 99 {where} = 3",
        f"UPDATE audit_entry SET number = 3 {where} = 4",
        f"UPDATE audit_entry SET number = 4 {where} = 99",
    )
    assert verify(copy)


def test_inserted_entry_is_detected(copy: Path) -> None:
    organization = main_organization(copy)
    columns = ", ".join(COLUMNS)
    rewrite(
        copy,
        f"INSERT INTO audit_entry (organization_id, number, {columns}) "
        f"SELECT organization_id, 500, {columns} FROM audit_entry "
        f"WHERE organization_id = '{organization}' AND number = 2",
    )
    assert verify(copy)


def test_invalid_json_is_detected(copy: Path) -> None:
    rewrite(copy, "UPDATE audit_entry SET after = '{' WHERE number = 2")
    assert any("not readable" in fault for fault in verify(copy))


def test_rewritten_chain_is_detected_without_the_signing_key(copy: Path) -> None:
    """Anyone who can write to the database can rebuild the chain, but not the checkpoints."""
    directory = SqliteDirectory(copy / "outlay.sqlite3")
    organization = main_organization(copy)
    with directory.read() as session:
        chain = [entry for _, entry in read_chain(session, OrganizationId(organization)) if entry]
    directory.close()
    connection = open_as_intruder(copy)
    previous = GENESIS
    for entry in chain:
        forged = AuditEntry(
            **{
                name: getattr(entry, name)
                for name in AuditEntry.__dataclass_fields__
                if name != "target"
            },
            target="forged" if entry.number == 4 else entry.target,
        )
        previous = forged.digest_after(previous)
        connection.execute(
            "UPDATE audit_entry SET target = ?, digest = ? "
            "WHERE organization_id = ? AND number = ?",
            (forged.target, previous, organization, entry.number),
        )
    connection.commit()
    connection.close()

    faults = verify(copy)
    assert all("checkpoint" in fault for fault in faults)
    assert len(faults) == len(chain) - 3

    own = CheckpointFile(copy / "forged.jsonl", bytes(32))
    own.append(Checkpoint(OrganizationId(organization), 4, previous, 0))
    lines = (copy / "forged.jsonl").read_bytes()
    (copy / "audit-checkpoints.jsonl").write_bytes(lines)
    assert any("does not match its signature" in fault for fault in verify(copy))


def test_personal_values_are_verified(trail: Path, copy: Path) -> None:
    rewrite(copy, "UPDATE personal_value SET value = 'mallory@example.test'")
    assert any("personal value is not" in fault for fault in verify(copy))
    shutil.copy(trail / "outlay.sqlite3", copy / "outlay.sqlite3")
    rewrite(copy, "DELETE FROM personal_value")
    assert any("without an erasure" in fault for fault in verify(copy))


def test_every_tampered_checkpoint_is_detected(trail: Path, copy: Path) -> None:
    lines = (trail / "audit-checkpoints.jsonl").read_bytes().splitlines(keepends=True)
    path = copy / "audit-checkpoints.jsonl"
    for index, line in enumerate(lines):
        for old, new in ((b'"number":', b'"number":1'), (b'"time":', b'"time":1')):
            path.write_bytes(
                b"".join([*lines[:index], line.replace(old, new), *lines[index + 1 :]])
            )
            assert verify(copy), index
    path.write_bytes(b"")
    assert any("no signed checkpoint" in fault for fault in verify(copy))
    path.unlink()
    assert any("no signed checkpoint" in fault for fault in verify(copy))


def test_other_public_key_verifies_nothing(trail: Path) -> None:
    other = CheckpointFile(trail / "unused", bytes(32)).public_key
    with open_administration(Settings(data=trail), FixedClock(NOW)) as opened:
        assert not opened.audit.verify(other).is_intact


def test_change_with_a_lost_checkpoint_is_covered_by_the_next(copy: Path) -> None:
    path = copy / "audit-checkpoints.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]) + lines[-1])
    with open_administration(Settings(data=copy), FixedClock(NOW)) as opened:
        report = opened.audit.verify()
        assert (report.is_intact, report.unsigned) == (True, 1)
        acme = next(o for o in opened.organizations.all() if o.name == "Acme")
        opened.projects.create(operator_of(acme), "Next")
        assert opened.audit.verify().unsigned == 0


REFUSED = (
    "UPDATE audit_entry SET target = 'x'",
    "DELETE FROM audit_entry WHERE number = 1",
    "INSERT OR REPLACE INTO audit_entry SELECT * FROM audit_entry",
    "UPDATE personal_value SET value = 'x'",
)


@pytest.mark.parametrize("statement", REFUSED)
def test_database_refuses_to_change_an_entry(copy: Path, statement: str) -> None:
    connection = pysqlite3.connect(copy / "outlay.sqlite3")
    before = list(connection.execute("SELECT * FROM audit_entry"))
    with pytest.raises(pysqlite3.IntegrityError, match="never changed"):
        connection.execute(statement)
    assert list(connection.execute("SELECT * FROM audit_entry")) == before
    connection.close()
    assert verify(copy) == []


def cut_end(data: Path, count: int) -> None:
    """Remove the last entries from the trail and, without the key, from the checkpoints."""
    organization = main_organization(data)
    last = max(number for of, number in numbers(data) if of == organization) - count
    rewrite(
        data,
        f"DELETE FROM audit_entry WHERE organization_id = '{organization}' AND number > {last}",
    )
    path = data / "audit-checkpoints.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [
        line
        for line in lines
        if (found := json.loads(line))["organization"] != organization or found["number"] <= last
    ]
    path.write_bytes(b"".join(kept))


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def test_end_whose_line_was_dropped_is_logged_again(
    copy: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level("INFO", "outlay.audit"), open_installation(Settings(data=copy)) as opened:
        with monkeypatch.context() as full:
            full.setattr("outlay.services.directory.audit_log.was_logged", lambda *_: False)
            opened.administration.audit.log_ends()
        assert not caplog.records
        opened.administration.audit.log_ends()
        assert len(caplog.records) == len(opened.administration.organizations.all())


def test_truncated_chain_is_detected_with_an_external_record(
    copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The database and the checkpoints do not show it; a log or a noted digest does."""
    data = ("--data", str(copy))
    with caplog.at_level("INFO", "outlay.audit"), open_installation(Settings(data=copy)) as opened:
        opened.administration.audit.log_ends()
        opened.administration.audit.log_ends()  # nothing has been added
        logged = [getattr(record, FIELDS) for record in caplog.records if hasattr(record, FIELDS)]
        known = opened.administration.organizations.all()
        assert len(logged) == len({found["organization"] for found in logged}) == len(known)
    printed = run("audit", "verify", *data).output
    ends = [f"{found['number']}:{found['digest']}" for found in logged]
    for end in ends:
        assert f"ends at entry {end}" in printed
    options = [part for end in ends for part in ("--expect", end)]
    assert run("audit", "verify", *data, *options).exit_code == 0
    (copy / "outlay.sqlite3-wal").unlink(missing_ok=True)
    cut_end(copy, 2)

    assert run("audit", "verify", *data).exit_code == 0, "it cannot be told from what is there"
    found = run("audit", "verify", *data, *options)
    assert found.exit_code == 1
    assert "is expected but missing" in found.output


@pytest.mark.parametrize("text", ["", "1", "x:00", "1:00", "1:" + "0g" * 32])
def test_expected_entries_are_checked(copy: Path, text: str) -> None:
    result = run("audit", "verify", "--data", str(copy), "--expect", text)
    assert isinstance(result.exception, Invalid)


def test_truncated_checkpoint_is_signed_again_at_the_next_start(copy: Path) -> None:
    path = copy / "audit-checkpoints.jsonl"
    with open_administration(Settings(data=copy), FixedClock(NOW)) as opened:
        acme = next(o for o in opened.organizations.all() if o.name == "Acme")
        opened.projects.create(operator_of(acme), "Last")
        path.write_bytes(path.read_bytes()[:-150])
        report = opened.audit.verify()
        assert (report.is_intact, report.unfinished, report.unsigned) == (True, 1, 1)
    with open_installation(Settings(data=copy), FixedClock(NOW)) as services:
        report = services.administration.audit.verify()
        assert (report.is_intact, report.unfinished, report.unsigned) == (True, 1, 0)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Administration]:
    """A new directory."""
    with open_administration(Settings(data=tmp_path / "data"), FixedClock(NOW)) as administration:
        yield administration


def test_change_without_an_action_is_rolled_back(opened: Administration) -> None:
    operator = operator_of(opened.organizations.create("Acme"))
    projects = opened.projects
    kept = projects.create(operator, "Kept")
    with (
        pytest.raises(RuntimeError, match="must record its action"),
        opened.audited.change(operator, Permission.PROJECTS_WRITE) as change,
    ):
        rename_project(change.session, kept.project_id, "Renamed in silence")
    with opened.audited.change(operator, Permission.PROJECTS_WRITE) as change:
        change.note(Action.PROJECT_DELETE, "a")
        with pytest.raises(RuntimeError, match="one action"):
            change.note(Action.PROJECT_DELETE, "b")
        change.cancel()
    assert [project.name for project in projects.list_for(operator)] == ["Kept"]
    assert opened.audit.verify().entries == 2
