"""A full or failing disk: changes get 503 with an explanation, reading continues."""

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pysqlite3
import pytest
from sqlalchemy import Connection, event
from tests.acceptance.conftest import Server
from tests.acceptance.test_access_matrix import CHANGES, RULES, ask
from tests.acceptance.world import World, make_world
from tests.backdoor import engine_of
from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from tests.program import kill_group, run, start, wait_for_server

from outlay.bootstrap.administration import open_administration
from outlay.bootstrap.installation import open_installation
from outlay.cli.console import EXIT_DISK, ending_on_errors
from outlay.domain.actor import Role, Scope
from outlay.domain.errors import Damaged, Unavailable
from outlay.domain.organization import operator_of
from outlay.kit.clock import from_us
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.storage.directory.sqlite import SqliteDirectory
from outlay.storage.health import StorageHealth
from outlay.storage.ledger.sqlite.store import SqliteLedger
from outlay.storage.sqlite import refusal_of

READS = [name for name in RULES if name.startswith("GET ")]


def error_of(code: int) -> pysqlite3.OperationalError:
    """An error of the class that SQLite raises."""
    error = pysqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    return error


@contextmanager
def no_commits(services: Services, code: int) -> Iterator[None]:
    """Let every commit that writes to the directory fail."""

    def refuse(connection: Connection) -> None:
        if connection.get_execution_options().get("is_write"):
            raise error_of(code)

    engine = engine_of(services.directory)
    event.listen(engine, "commit", refuse)
    try:
        yield
    finally:
        event.remove(engine, "commit", refuse)


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    """An organization."""
    return make_world(server)


@pytest.fixture
def full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full during requests over HTTP, but not during the setup."""
    request = httpx.request

    def with_full_disk(*arguments: Any, **options: Any) -> httpx.Response:
        with no_commits(world.server.services, pysqlite3.SQLITE_FULL):
            return request(*arguments, **options)

    monkeypatch.setattr(httpx, "request", with_full_disk)


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_refused_with_a_one_line_error(world: World, name: str) -> None:
    person = world.add_person(Role.OWNER)
    answer = ask(name, RULES[name], person.bearer, world, world, person)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["code"] == "disk-full"
    assert "the disk is full" in answer.json()["detail"]


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("name", READS)
def test_everything_is_readable_on_a_full_disk(world: World, name: str) -> None:
    person = world.people[Role.OWNER]
    answer = ask(name, RULES[name], person.bearer, world, world, person)
    assert answer.is_success, answer.text


def test_sqlite_errors_are_translated() -> None:
    health = StorageHealth()
    codes = {
        pysqlite3.SQLITE_FULL: "disk-full",
        pysqlite3.SQLITE_IOERR | 19 << 8: "disk-full",
        pysqlite3.SQLITE_READONLY: "database-read-only",
        pysqlite3.SQLITE_BUSY: "database-busy",
        pysqlite3.SQLITE_BUSY | 2 << 8: "database-busy",
        pysqlite3.SQLITE_LOCKED: "database-busy",
        pysqlite3.SQLITE_CANTOPEN: "database-unopenable",
        pysqlite3.SQLITE_PERM: "database-unopenable",
        pysqlite3.SQLITE_NOMEM: "out-of-memory",
    }
    for code, ours in codes.items():
        found = refusal_of(error_of(code), health)
        assert isinstance(found, Unavailable)
        assert found.code == ours
    for code in (pysqlite3.SQLITE_CORRUPT, pysqlite3.SQLITE_NOTADB):
        assert isinstance(refusal_of(error_of(code), health), Damaged)
    assert refusal_of(error_of(pysqlite3.SQLITE_CONSTRAINT), health) is None
    assert refusal_of(ValueError(), health) is None
    assert health.failure is None
    failed = refusal_of(error_of(pysqlite3.SQLITE_IOERR | 4 << 8), health)
    assert isinstance(failed, Unavailable)
    assert health.failure == failed.message


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """An installation with an organization, opened by the test."""
    with open_installation(Settings(data=tmp_path / "data"), FixedClock(NOW)) as opened:
        opened.administration.organizations.create("Acme")
        yield opened


def create_project(services: Services) -> None:
    administration = services.administration
    administration.projects.create(operator_of(administration.organizations.all()[0]), "P")


def test_io_error_in_the_directory_stops_the_ledger(services: Services) -> None:
    with (
        no_commits(services, pysqlite3.SQLITE_IOERR | 4 << 8),
        pytest.raises(Unavailable, match="until a restart"),
    ):
        create_project(services)
    for write in (lambda: create_project(services), lambda: services.ledger.append([make_event()])):
        with pytest.raises(Unavailable, match="until a restart"):
            write()
    assert services.ledger.failure
    assert services.ledger.last_seq == 0
    assert len(services.administration.organizations.all()) == 1


def test_io_error_in_the_ledger_stops_the_directory(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error_of(pysqlite3.SQLITE_IOERR | 4 << 8)

    monkeypatch.setattr(services.ledger, "commit", fail)
    with pytest.raises(Unavailable, match="until a restart"):
        services.ledger.append([make_event()])
    with pytest.raises(Unavailable, match="until a restart"):
        create_project(services)
    (organization,) = services.administration.organizations.all()
    assert services.administration.projects.list_for(operator_of(organization)) == []


def test_commit_concurrent_with_a_failing_one_is_not_acknowledged(tmp_path: Path) -> None:
    """Its own flush may have reported pages as written that the failed one had dropped."""
    health = StorageHealth()
    directory = SqliteDirectory(tmp_path / "outlay.sqlite3", health)
    with pytest.raises(Unavailable, match="until a restart"), directory.change():
        health.fail("meanwhile")
    directory.close()


def test_usage_committed_concurrently_with_a_failing_commit_is_not_acknowledged(
    tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = StorageHealth()
    ledger = SqliteLedger(tmp_path / "outlay.sqlite3", clock, health)
    commit = ledger.commit

    def commit_meanwhile(*work: Any) -> Any:
        done = commit(*work)
        health.fail("meanwhile")
        return done

    monkeypatch.setattr(ledger, "commit", commit_meanwhile)
    with pytest.raises(Unavailable, match="until a restart"):
        ledger.append([make_event()])
    ledger.close()


def test_server_on_a_failing_disk(tmp_path: Path) -> None:
    """The directory is the first to fail; what was acknowledged before is still there
    afterwards."""
    data = tmp_path / "data"
    token = make_token(data)
    with serving(data, token) as (server, http):
        assert http.post("/api/v1/projects", json={"name": "Before"}).status_code == 201
        # Its log cannot grow any more: a write beyond the limit is an I/O error.
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (16_384, resource.RLIM_INFINITY))
        assert http.post("/api/v1/projects", json={"name": "Fails"}).status_code == 503
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
        refused = http.post("/api/v1/projects", json={"name": "After"})
        assert (refused.status_code, refused.json()["code"]) == (503, "ledger-failed")
        assert http.post("/v1/usage/events", json=[usage()]).status_code == 503
        assert http.get("/readyz").status_code == 503
        names = {project["name"] for project in http.get("/api/v1/projects").json()["projects"]}
        assert "After" not in names
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=60)
    assert server.returncode == EXIT_DISK
    assert "Traceback" not in errors
    with open_administration(Settings(data=data)) as opened:
        operator = operator_of(opened.organizations.all()[0])
        found = {project.name for project in opened.projects.list_for(operator)}
        assert "Before" in found
        assert "After" not in found


@contextmanager
def serving(data: Path, token: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """A server and an authenticated client."""
    server = start("serve", "--data", data, "--port", "0")
    try:
        url = wait_for_server(data, server)["url"]
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as http:
            yield server, http
    finally:
        kill_group(server)


def make_token(data: Path) -> str:
    with open_administration(Settings(data=data)) as opened:
        organization = opened.organizations.create("Acme")
        owner = opened.sign_in.set_owner(organization, "me@example.test", "a long password!")
        _, token = opened.tokens.create(
            operator_of(organization),
            description="t",
            scopes=list(Scope),
            member_id=owner.member_id,
        )
    return token


def usage() -> dict[str, Any]:
    return {
        "eventId": "e1",
        "eventTime": from_us(make_event().event_time_us).isoformat(),
        "model": "openai/gpt-4o",
        "usage": {"inputTokens": 1, "outputTokens": 1},
    }


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only who may mount can have a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.long
def test_server_on_a_full_disk_running_and_starting(small_disk: Path) -> None:
    data = small_disk / "data"
    token = make_token(data)
    filler = small_disk / "filler"
    with serving(data, token) as (server, http):
        fill_up(filler)
        answers = [http.post("/api/v1/projects", json={"name": f"P{n}"}) for n in range(8)]
        assert {answer.status_code for answer in answers} <= {201, 503}
        assert {answer.json()["code"] for answer in answers if answer.status_code == 503} == {
            "disk-full"
        }
        for path in (
            "/api/v1/projects",
            "/api/v1/analytics/summary?preset=7d",
            "/api/v1/requests",
            "/api/v1/audit",
        ):
            assert http.get(path).status_code == 200, path
        filler.unlink()
        assert http.post("/api/v1/projects", json={"name": "Room again"}).status_code == 201
        server.send_signal(signal.SIGKILL)
        server.wait()
    fill_up(filler)
    for command in (("serve", "--port", "0"), ("project", "create", "Late")):
        check_one_line(run(*command, "--data", data))
    filler.unlink()
    assert run("verify", "--data", data).returncode == 0
    assert run("audit", "verify", "--data", data).returncode == 0


def fill_up(path: Path) -> None:
    """Fill the disk to the last byte."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def check_one_line(found: subprocess.CompletedProcess[str]) -> None:
    lines = found.stderr.strip().splitlines()
    assert found.returncode == EXIT_DISK, found
    assert len([line for line in lines if line.startswith("Error:")]) == 1, found
    assert "Traceback" not in found.stderr


def make_malformed(data: Path) -> None:
    body = bytearray((data / "outlay.sqlite3").read_bytes())
    body[100:] = os.urandom(len(body) - 100)
    (data / "outlay.sqlite3").write_bytes(body)


def make_foreign(data: Path) -> None:
    (data / "outlay.sqlite3").write_bytes(b"no database at all" * 1000)


def make_folder_of_database(data: Path) -> None:
    (data / "outlay.sqlite3").unlink()
    (data / "outlay.sqlite3").mkdir()


def make_folder_of_cube(data: Path) -> None:
    (data / "cube.duckdb").unlink(missing_ok=True)
    (data / "cube.duckdb").mkdir()


def make_folder_of_key(data: Path) -> None:
    (data / "audit.key").unlink()
    (data / "audit.key").mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        make_malformed,
        make_foreign,
        make_folder_of_database,
        make_folder_of_cube,
        make_folder_of_key,
    ],
)
def test_damaged_folder_is_a_one_line_error_at_startup(
    tmp_path: Path, spoil: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data=tmp_path / "data")
    with open_installation(settings) as services:
        services.administration.organizations.create("Acme")
    spoil(settings.data)
    with pytest.raises(SystemExit) as ended, ending_on_errors(), open_installation(settings):
        pass
    assert ended.value.code == EXIT_DISK
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert str(settings.data) in line or "database" in line
