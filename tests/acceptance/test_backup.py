"""Backups during operation, on each engine: restored installations are the same, to the last
row."""

import gzip
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.acceptance.world import World
from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from tests.postgres import Cluster
from typer.testing import CliRunner

from outlay.bootstrap.administration import open_administration
from outlay.bootstrap.installation import open_installation
from outlay.cli.main import app
from outlay.domain.actor import Plan, Role
from outlay.domain.errors import Conflict, Damaged, Invalid
from outlay.domain.ids import ApiKeyId, EventId, ProjectId
from outlay.domain.verification import VerifyReport
from outlay.engines import open_reading, open_truth
from outlay.kit.clock import SystemClock, to_us
from outlay.services.bundle import Services
from outlay.services.gateway.gateway import Begun, encode_begun
from outlay.services.upkeep.backup import check_archive, compare, records_of, take_over
from outlay.settings import Settings
from outlay.storage.archive import read_archive, write_archive
from outlay.storage.ledger.rows import Intent

NewSettings = Callable[[str], Settings]
ENGINES = ("embedded", "scale-out")


@pytest.fixture
def new_settings(tmp_path: Path, cluster: Cluster, chdb: Callable[[], str]) -> NewSettings:
    """Settings for an empty installation on one of the engines."""

    def make(engine: str) -> Settings:
        data = tmp_path / f"{engine}-{len(list(tmp_path.iterdir()))}"
        data.mkdir()
        if engine == "embedded":
            return Settings(data=data)
        return Settings(data=data, database_url=cluster.create_database(), cube_url=chdb())

    return make


def fill(services: Services) -> None:
    """Create one of everything: people, objects, events, a conflict, an erasure, a running
    request."""
    organization = services.administration.organizations.create("Acme", plan=Plan.ENTERPRISE)
    server = cast(Any, SimpleNamespace(services=services))
    world = World(server=server, organization=organization, canary="Canary")
    owner = world.add_person(Role.OWNER)
    for kind in KINDS:
        world.make(kind, owner.member)
    world.mapping()
    world.limit()
    mine = organization.organization_id
    events = [
        make_event(organization_id=mine, end_user=name, cost_pusd=9 * 10**18, groups="g1,g2")
        for name in ("ada", "bob", "")
    ]
    services.ledger.append(events)
    services.ledger.append([replace(events[0], app="other"), make_event(organization_id=mine)])
    services.ledger.forget(mine, "ada", "gone_1")
    begun = encode_begun(
        Begun(
            to_us(NOW),
            ProjectId("prj"),
            ApiKeyId("key"),
            "openai",
            "openai/gpt-5.5",
            "chat",
            "",
            "",
            (),
            False,
        )
    )
    # The second request was settled between reading the intents and reading the events.
    under_way = [Intent(mine, EventId(name), begun) for name in ("under way", events[1].event_id)]
    services.ledger.submit([], intents=under_way).result(5)


KINDS = (
    "project_id", "api_key_id", "group_id", "invitation_id", "upstream_id", "price_id",
    "reconciliation_id", "discovered_id", "token_id",
)  # fmt: skip


def back_up(settings: Settings, file: Path) -> None:
    with open_reading(settings) as (ledger, directory):
        files = [settings.checkpoints_path, settings.audit_key_path]
        write_archive(file, records_of(ledger, directory, files, SystemClock(), lambda _: None))


def restore(file: Path, settings: Settings) -> None:
    check_archive(file, lambda _: None)
    with open_truth(settings, SystemClock()) as (ledger, directory):
        take_over(read_archive(file), ledger, directory, settings.data)


@pytest.mark.parametrize("target", ENGINES)
@pytest.mark.parametrize("source", ENGINES)
def test_restored_installation_equals_the_backup(
    new_settings: NewSettings, tmp_path: Path, source: str, target: str
) -> None:
    old, new = new_settings(source), new_settings(target)
    file = tmp_path / "file.outlay"
    with open_installation(old, FixedClock(NOW)) as services:
        fill(services)
        back_up(old, file)
        services.ledger.append([make_event(organization_id="later")])
    restore(file, new)

    with open_reading(old) as before, open_truth(new, FixedClock(NOW)) as after:
        with pytest.raises(Damaged, match="The ledger ends at event 5"):
            compare(before, after)  # later events are missing, and that is detected
        ledger, directory = after
        assert [intent.event_id for intent in ledger.intents()] == ["under way"]
        assert len(ledger.read_conflicts()) == 1
        again = tmp_path / "again.outlay"
        write_archive(again, records_of(ledger, directory, [], SystemClock(), lambda _: None))
        with pytest.raises(Conflict, match="not empty"):
            take_over(read_archive(file), ledger, directory, new.data)
    assert contents(again) == contents(file)
    with open_installation(new, FixedClock(NOW)) as services:
        (report,) = [
            item for item in services.maintenance.verify() if isinstance(item, VerifyReport)
        ]
        assert report.is_proven
        assert report.cost_pusd >= 27 * 10**18
        # The restored ledger accepts new events.
        organization = services.administration.organizations.all()[0]
        services.ledger.append([make_event(organization_id=organization.organization_id)])
        assert services.administration.audit.verify().faults == []


def test_cube_newer_than_the_backup_is_rebuilt(new_settings: NewSettings, tmp_path: Path) -> None:
    """Its positions refer to lost events, not to the ones recorded after the restore."""
    old = new_settings("scale-out")
    new = replace(new_settings("scale-out"), cube_url=old.cube_url)
    file = tmp_path / "file.outlay"
    with open_installation(old, FixedClock(NOW)) as services:
        fill(services)
        back_up(old, file)
        services.ledger.append([make_event(organization_id="lost", cost_pusd=1)])
        services.projection.catch_up()
    restore(file, new)

    with open_installation(new, FixedClock(NOW)) as services:
        services.ledger.append([make_event(organization_id="new", cost_pusd=2) for _ in range(3)])
        (report,) = [
            item for item in services.maintenance.verify() if isinstance(item, VerifyReport)
        ]
        assert report.is_proven, report.differences


def contents(file: Path) -> list[Any]:
    """The content of a backup, without its time; of running requests only those without an
    outcome."""
    return [
        record for record in read_archive(file) if record.kind not in {"header", "intents", "file"}
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_backup_under_load_has_everything_acknowledged_before_it_began(
    new_settings: NewSettings, tmp_path: Path, engine: str
) -> None:
    settings = new_settings(engine)
    with open_installation(settings) as services:
        stop = threading.Event()
        acknowledged: list[str] = []

        def write() -> None:
            while not stop.is_set():
                events = [make_event() for _ in range(20)]
                services.ledger.append(events)
                acknowledged.extend(event.event_id for event in events)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for number in range(5):
                before = list(acknowledged)
                file = tmp_path / f"{number}.outlay"
                back_up(settings, file)
                check_archive(file, lambda _: None)
                batches = [item.content for item in read_archive(file) if item.kind == "batch"]
                found = [row[3] for *_, rows in batches for row in rows]
                assert found[: len(before)] == before
                assert len(found) == len(set(found))
        finally:
            stop.set()
            thread.join()


def test_truncated_or_changed_backup_restores_nothing(
    new_settings: NewSettings, tmp_path: Path
) -> None:
    old, new = new_settings("embedded"), new_settings("embedded")
    file, bad = tmp_path / "file.outlay", tmp_path / "bad.outlay"
    with open_installation(old, FixedClock(NOW)) as services:
        fill(services)
    back_up(old, file)
    whole = file.read_bytes()
    plain = gzip.decompress(whole)
    broken = [
        whole[: len(whole) // 2],
        whole[:-9],
        gzip.compress(plain[: len(plain) // 2]),
        *(
            gzip.compress(plain[:at] + bytes([plain[at] ^ 1]) + plain[at + 1 :])
            for at in range(20, len(plain), len(plain) // 40)
        ),
        b"no backup at all",
        b"",
    ]
    for body in broken:
        bad.write_bytes(body)
        result = run("restore", str(bad), "--data", str(new.data))
        assert isinstance(result.exception, (Damaged, Invalid)), result.output
        assert not new.database_path.exists()


def test_incomplete_backup_is_refused(new_settings: NewSettings, tmp_path: Path) -> None:
    """Its digest is valid: the writer left something out."""
    old = new_settings("embedded")
    with open_installation(old, FixedClock(NOW)) as services:
        fill(services)
    file = tmp_path / "file.outlay"
    back_up(old, file)
    records = list(read_archive(file))
    kinds = [record.kind for record in records]
    for number, kind in enumerate(("batch", "rows", "end")):
        at = len(kinds) - 1 - kinds[::-1].index(kind)
        short = tmp_path / f"{number}.outlay"
        write_archive(short, records[:at] + records[at + 1 :])
        with pytest.raises(Damaged, match="is incomplete"):
            check_archive(short, lambda _: None)
    assert check_archive(file, lambda _: None).events == 5


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def test_commands_report_results_and_never_overwrite(
    new_settings: NewSettings, tmp_path: Path
) -> None:
    old, new = new_settings("embedded"), new_settings("embedded")
    file = tmp_path / "file.outlay"
    with open_installation(old, FixedClock(NOW)) as services:
        fill(services)
        made = run("backup", str(file), "--data", str(old.data), "--with-keys")
    again = run("backup", str(file), "--data", str(old.data))
    restored = run("restore", str(file), "--data", str(new.data))
    twice = run("restore", str(file), "--data", str(new.data))
    nothing = run("backup", str(tmp_path / "x"), "--data", str(tmp_path / "nowhere"))

    assert (made.exit_code, restored.exit_code) == (0, 0), (made, restored)
    assert "Restored 5 events" in restored.output
    assert "never replaces" in str(again.exception)
    assert "already contains parts of an installation" in str(twice.exception)
    assert "has no installation" in str(nothing.exception)
    assert not (tmp_path / "nowhere").exists()
    for name in ("master.key", "audit.key", "audit-checkpoints.jsonl"):
        assert (new.data / name).read_bytes() == (old.data / name).read_bytes()
        assert (new.data / name).stat().st_mode & 0o077 == 0
    assert not (new.data / "restoring").exists()
    assert run("verify", "--data", str(new.data)).exit_code == 0


def test_backup_before_the_first_start(new_settings: NewSettings, tmp_path: Path) -> None:
    """There are people and keys, but no usage yet."""
    old, new = new_settings("embedded"), new_settings("embedded")
    with open_administration(old) as administration:
        administration.organizations.create("Acme")
    file = tmp_path / "file.outlay"
    made = run("backup", str(file), "--data", str(old.data))
    restored = run("restore", str(file), "--data", str(new.data))
    assert (made.exit_code, restored.exit_code) == (0, 0), (made, restored)
    assert "Restored 0 events" in restored.output


def test_installation_is_moved_to_other_engines_and_compared(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, there = new_settings("embedded"), new_settings("scale-out")
    with open_installation(settings, FixedClock(NOW)) as services:
        fill(services)
    data = ("--data", str(settings.data))
    nowhere = run("migrate-engine", *data)
    monkeypatch.setenv("OUTLAY_DATABASE_URL", there.database_url)
    monkeypatch.setenv("OUTLAY_CUBE_URL", there.cube_url)
    with open_installation(settings):
        locked = run("migrate-engine", *data)
    moved = run("migrate-engine", *data)
    again = run("migrate-engine", *data)
    verified = run("verify", *data)
    monkeypatch.delenv("OUTLAY_DATABASE_URL")
    monkeypatch.delenv("OUTLAY_CUBE_URL")
    old = run("verify", *data)

    assert "Set OUTLAY_DATABASE_URL" in str(nowhere.exception)
    assert "in use by another" in str(locked.exception)
    assert moved.exit_code == 0, (moved.output, moved.exception)
    assert "are the same in both databases" in moved.output
    assert "Verified: 6 events" in moved.output
    assert "already moved" in str(again.exception)
    assert verified.exit_code == 0
    assert "was moved to another database" in str(old.exception)
