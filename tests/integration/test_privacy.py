"""A person's identity can be destroyed, in every byte, and no number changes."""

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pysqlite3
import pytest
from sqlalchemy import func, select
from tests.clocks import FixedClock
from tests.factories import NOW, make_event

from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Actor, Plan, Role, Scope
from outlay.domain.answers import ZERO, Totals
from outlay.domain.audit import Action, AuditFilter
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import NO_MERGES
from outlay.domain.errors import Conflict, Damaged, NotFound, Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.organization import Member, operator_of
from outlay.domain.period import Period
from outlay.domain.query import UsageQuery
from outlay.domain.questions import Groups, StepTotals
from outlay.domain.verification import VerifyReport
from outlay.kit.clock import to_us
from outlay.kit.progress import Progress
from outlay.services.bundle import Services, erase_member
from outlay.services.cube import projection as projection_module
from outlay.services.upkeep.erasure import ERASED_NAME
from outlay.services.upkeep.retention import end_users_kept_from
from outlay.settings import Settings
from outlay.storage.directory.sso import put_identity
from outlay.storage.directory.tables import Base
from outlay.storage.ledger import erasing
from outlay.storage.ledger.rows import Intent

ADDRESS = "Canary.Ada@example.test"
NAME = "Ada Canary-Lovelace"
TRACES = (b"canary.ada", b"canary-lovelace", b"sub-canary")
PASSWORD = "several words are best"
EVER = Period(start_bucket=0, end_bucket=2**31 - 1, timezone="UTC")


@dataclass
class Place:
    """An organization with an owner and Ada, who leaves traces everywhere."""

    services: Services
    operator: Actor
    ada: Member

    def totals(self, dimension: Dimension | None = None) -> dict[str, Totals]:
        """The answers in total and per value of a dimension."""
        self.services.projection.catch_up()
        query = UsageQuery(
            organization_id=self.operator.organization_id,
            merges=NO_MERGES,
            period=EVER,
            group_by=dimension,
        )
        with self.services.projection.slot.read() as reader:
            if dimension is None:
                return {"": sum_of(list(reader.ask(StepTotals(query)).values()))}
            rows = reader.ask(Groups(query))
        return {
            key: sum_of([r.measures for r in rows if r.key == key]) for key in {r.key for r in rows}
        }

    def prove(self) -> None:
        """Verify ledger, cube and trail."""
        *_, report = self.services.maintenance.verify()
        assert isinstance(report, VerifyReport)
        assert report.is_proven, report
        assert self.services.administration.audit.verify().faults == []


def sum_of(parts: list[Totals]) -> Totals:
    """Totals of parts."""
    whole = ZERO
    for part in parts:
        whole = whole.plus(part)
    return whole


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory for inspection afterwards."""
    return tmp_path / "data"


@pytest.fixture
def place(data: Path, clock: FixedClock) -> Iterator[Place]:
    """Ada has done everything that records her name."""
    with open_installation(Settings(data=data), clock) as services:
        administration = services.administration
        organization = administration.organizations.create("Acme", plan=Plan.ENTERPRISE)
        operator = operator_of(organization)
        administration.sign_in.set_owner(organization, "boss@example.test", PASSWORD)
        _, secret = administration.members.invite(operator, ADDRESS, Role.DEVELOPER)
        session = administration.sign_in.accept(secret, NAME, PASSWORD, "req")
        ada_id = services.access.actor_of_session(session).member_id
        administration.members.update(operator, ada_id, name=NAME + " II")
        administration.members.create_password_link(operator, ada_id)
        group = administration.groups.create(operator, "Analysts")
        administration.groups.add_member(operator, group.group_id, ada_id)
        project = administration.projects.create(operator, "P")
        administration.keys.create(
            operator, project_id=project.project_id, description="k", member_id=ada_id
        )
        administration.tokens.create(
            operator, description="t", scopes=[Scope.USAGE_READ], member_id=ada_id
        )
        with services.directory.write() as db:
            put_identity(
                db, organization.organization_id, "https://id.test", "sub-canary", ada_id, 1
            )
        use(services, organization.organization_id)
        ada = administration.members.find(operator, ada_id)
        yield Place(services, operator, ada)


def use(services: Services, organization_id: str) -> None:
    """Requests that name Ada, in different spellings, and one refused one."""
    spellings = [ADDRESS, ADDRESS.lower(), ADDRESS.upper(), "someone@example.test", ""]
    for number in range(200):
        intent = Intent(
            OrganizationId(organization_id), EventId(f"req-{number}"), ADDRESS.encode() * 3
        )
        services.ledger.submit([], intents=[intent]).result()
        event = make_event(
            organization_id=organization_id,
            event_id=f"req-{number}",
            event_time_us=to_us(NOW - timedelta(days=number % 60)),
            end_user=spellings[number % len(spellings)],
            user_id=spellings[(number + 1) % 3] if number % 7 == 0 else "mem_other",
            input_tokens=1_000 + number,
            cost_pusd=10**9 + number,
        )
        services.ledger.submit([event], settled=[(organization_id, f"req-{number}")]).result()
    conflicting = make_event(
        organization_id=organization_id, event_id="req-0", end_user=ADDRESS, input_tokens=7
    )
    services.ledger.append([conflicting])


def traces(folder: Path) -> list[tuple[str, bytes]]:
    """Where the person is still found, in the bytes of any file."""
    return [
        (path.name, trace)
        for path in folder.rglob("*")
        if path.is_file()
        for trace in TRACES
        if trace in path.read_bytes().lower()
    ]


def test_erasure_leaves_no_byte_and_keeps_every_total(place: Place, data: Path) -> None:
    services = place.services
    before = place.totals()[""]
    by_project = place.totals(Dimension.PROJECT)
    claimed = [
        v for k, v in place.totals(Dimension.END_USER).items() if k.lower() == ADDRESS.lower()
    ]
    assert {name.split(".")[0] for name, _ in traces(data)} == {"outlay", "cube"}

    report = services.erasure.erase(place.operator, ADDRESS.lower())

    assert traces(data) == []
    assert report.member_id == place.ada.member_id
    assert place.totals()[""] == before
    assert place.totals(Dimension.PROJECT) == by_project
    assert place.totals(Dimension.END_USER)[place.ada.member_id] == sum_of(claimed)
    place.prove()
    entry = services.administration.audit.page(
        place.operator, AuditFilter(), before_number=None, limit=1
    )[0]
    assert entry.entry.action == Action.MEMBER_ERASE
    assert ERASED_NAME not in {
        m.name for m in services.administration.members.list_for(place.operator)
    }


def test_remaining_mentions_are_listed(place: Place, data: Path) -> None:
    services, operator = place.services, place.operator
    administration = services.administration
    project = administration.projects.create(operator, "Canary-Lovelace's")
    administration.keys.create(
        operator,
        project_id=project.project_id,
        description=f"laptop of {NAME}",
        member_id=place.ada.member_id,
    )
    administration.tokens.create(
        operator,
        description=NAME.upper(),
        scopes=[Scope.USAGE_READ],
        member_id=place.ada.member_id,
    )
    mine = operator.organization_id
    services.ledger.append(
        [
            make_event(organization_id=mine, event_id=f"of {ADDRESS}", app=ADDRESS.upper()),
            make_event(organization_id=mine, app=f"{NAME}'s app", end_user=f"prefix {ADDRESS}"),
            make_event(organization_id="org_other", app=NAME),
        ]
    )
    copy = data / "backups" / "copy.sqlite3"
    copy.parent.mkdir()
    copy.touch()

    report = services.erasure.erase(operator, ADDRESS)

    assert report.left == {
        "access_token.description": 1,
        "api_key.description": 1,
        "audit_entry.after": 2,
        "usage_event.event_id": 1,
        "usage_event.app": 2,
        "usage_event.end_user": 1,
        "backups": 1,
    }


def test_erased_person_is_signed_out_and_cannot_be_erased_again(place: Place) -> None:
    services = place.services
    services.erasure.erase(place.operator, place.ada.member_id)

    assert place.ada.member_id not in [
        member.member_id for member in services.administration.members.list_for(place.operator)
    ]
    for who in (place.ada.member_id, ADDRESS):
        with pytest.raises(NotFound):
            services.erasure.erase(place.operator, who)
    with pytest.raises(NotFound):
        services.erasure.erase(place.operator, "nobody@example.test")
    services.administration.members.invite(place.operator, ADDRESS, Role.DEVELOPER)


def test_person_only_claimed_or_invited_can_be_erased(place: Place, data: Path) -> None:
    services = place.services
    organization_id = place.operator.organization_id
    claims = [
        make_event(organization_id=organization_id, end_user="Canary.Ada@elsewhere.test"),
        make_event(organization_id=organization_id, user_id="canary.ada@ELSEWHERE.test"),
    ]
    services.erasure.erase(place.operator, ADDRESS)
    assert traces(data) == []
    services.ledger.append(claims)
    services.administration.members.invite(
        place.operator, "canary.ada@elsewhere.test", Role.DEVELOPER
    )
    before = place.totals()

    report = erase_member(services, None, "canary.ada@elsewhere.test")

    assert traces(data) == []
    assert (report.events, report.values) == (2, 1)
    assert place.totals() == before
    assert services.administration.members.invitations(place.operator) == []
    place.prove()
    with pytest.raises(NotFound, match="Nothing refers to"):
        erase_member(services, None, "canary.ada@elsewhere.test")


def test_former_member_can_be_erased_and_the_last_owner_cannot(place: Place, data: Path) -> None:
    services = place.services
    services.administration.members.remove(place.operator, place.ada.member_id)
    services.erasure.erase(place.operator, ADDRESS)
    owner = services.administration.members.list_for(place.operator)[0]

    assert traces(data) == []
    with pytest.raises(Conflict, match="owner"):
        services.erasure.erase(place.operator, owner.member_id)
    place.prove()


def test_interrupted_erasure_is_finished_by_the_next(
    place: Place, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = place.services
    before = place.totals()

    def fail(*_: object) -> Iterator[object]:
        raise OSError("power")

    with monkeypatch.context() as patched:
        patched.setattr(services.projection, "rebuild", fail)
        with pytest.raises(OSError, match="power"):
            services.erasure.erase(place.operator, ADDRESS)
    assert {name.split(".")[0] for name, _ in traces(data)} == {"outlay", "cube"}

    services.erasure.erase(place.operator, ADDRESS)

    assert traces(data) == []
    assert place.totals() == before
    place.prove()


def test_cube_older_than_an_erasure_is_rebuilt_at_startup(
    data: Path, clock: FixedClock, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = place.services
    place.totals()
    services.ledger.forget(place.operator.organization_id, ADDRESS, place.ada.member_id)
    copy = tmp_path / "copy"
    copy.mkdir()
    services.ledger.close()
    for path in data.iterdir():
        if path.name != "outlay.lock":
            (copy / path.name).write_bytes(path.read_bytes())

    with open_installation(Settings(data=copy), clock) as again:
        *_, report = again.maintenance.verify()

    assert isinstance(report, VerifyReport)
    assert report.is_proven
    assert b"canary.ada" not in (copy / "cube.duckdb").read_bytes().lower()


def test_erasure_is_refused_during_a_verification(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    proceed = threading.Event()
    run = place.services.projection.load_steps

    def wait_and_load() -> Iterator[Progress]:
        proceed.wait(30)
        return run()

    monkeypatch.setattr(place.services.projection, "load_steps", wait_and_load)
    running = place.services.maintenance.verify()
    with pytest.raises(Unavailable, match="a verification, started by the operator at 20"):
        place.services.erasure.erase(place.operator, ADDRESS)
    proceed.set()
    list(running)
    place.services.erasure.erase(place.operator, ADDRESS)
    place.prove()


def test_ledger_chain_detects_changes_after_an_erasure(place: Place, data: Path) -> None:
    place.services.erasure.erase(place.operator, ADDRESS)
    with sqlite3.connect(data / "outlay.sqlite3") as connection:
        connection.execute("UPDATE usage_event SET cost_pusd = cost_pusd + 1 WHERE seq = 6")
    *_, report = place.services.maintenance.verify()

    assert isinstance(report, VerifyReport)
    assert report.damage is not None


# Retention


def test_claimed_end_users_expire_and_totals_remain(data: Path, clock: FixedClock) -> None:
    with open_installation(Settings(data=data, end_user_days=30), clock) as services:
        organization = services.administration.organizations.create("Acme")
        use(services, organization.organization_id)
        place = Place(services, operator_of(organization), Member)  # type: ignore[arg-type]  # unused
        before = place.totals()
        boundary_us = end_users_kept_from(services.now_us(), 30)
        kept = {
            str(row.end_user)
            for row in events_of(services, organization.organization_id)
            if row.event_time_us >= boundary_us
        }
        doomed = [
            row
            for row in events_of(services, organization.organization_id)
            if row.event_time_us < boundary_us and row.end_user
        ]
        assert doomed

        (report,) = services.retention.apply()

        assert report.events == len(doomed)
        assert services.retention.apply() == []
        assert place.totals() == before
        after = events_of(services, organization.organization_id)
        assert {row.end_user for row in after if row.event_time_us < boundary_us} == {""}
        assert {row.end_user for row in after if row.event_time_us >= boundary_us} == kept
        assert set(place.totals(Dimension.END_USER)) == kept
        place.prove()
        entry = services.administration.audit.page(
            place.operator, AuditFilter(), before_number=None, limit=1
        )[0].entry
        assert entry.action == Action.RETENTION_APPLY
        assert entry.after is not None
        assert entry.after["events"] == len(doomed)


def test_end_users_are_kept_permanently_by_default(place: Place) -> None:
    before = place.totals(Dimension.END_USER)

    assert place.services.retention.apply() == []
    assert place.totals(Dimension.END_USER) == before


def test_retention_boundary_moves_weekly() -> None:
    for hours in range(0, 24 * 30, 5):
        now_us = to_us(NOW + timedelta(hours=hours))
        kept_us = now_us - end_users_kept_from(now_us, 90)
        assert timedelta(days=90) <= timedelta(microseconds=kept_us) < timedelta(days=97)
    boundaries = {end_users_kept_from(to_us(NOW + timedelta(days=d)), 90) for d in range(70)}
    assert len(boundaries) in {10, 11}


def test_expired_invitations_are_deleted_after_a_month(
    data: Path, clock: FixedClock, place: Place
) -> None:
    members = place.services.administration.members
    for number in range(20):
        members.invite(place.operator, f"Nobody.Canary{number}@example.test", Role.DEVELOPER)
    clock.instant = NOW + timedelta(days=36)
    assert place.services.retention.apply() == []
    assert len(members.invitations(place.operator)) == 20
    clock.instant = NOW + timedelta(days=38)

    (report,) = place.services.retention.apply()

    assert report.invitations == 20
    assert members.invitations(place.operator) == []
    assert b"nobody.canary" not in b"".join(
        path.read_bytes().lower() for path in data.iterdir() if path.is_file()
    )
    assert members.find(place.operator, place.ada.member_id).email == ADDRESS
    place.prove()


def test_ended_sessions_and_links_are_deleted(clock: FixedClock, place: Place) -> None:
    def count(table: str) -> int:
        with place.services.directory.read() as session:
            return int(
                session.scalar(select(func.count()).select_from(Base.metadata.tables[table])) or 0
            )

    assert (count("session") > 0, count("password_link")) == (True, 1)
    place.services.retention.apply()
    assert (count("session") > 0, count("password_link")) == (True, 1)
    clock.instant = NOW + timedelta(days=8)
    place.services.retention.apply()

    assert (count("session"), count("password_link")) == (0, 0)


def events_of(services: Services, organization_id: str) -> list[UsageEvent]:
    """The recorded events."""
    from outlay.storage.ledger.rows import from_row

    rows = services.ledger.read_window(
        OrganizationId(organization_id), 0, 2**62, services.ledger.last_seq
    )
    return [from_row(row) for row in rows]


def test_damaged_batch_blocks_neither_retention_nor_new_events(
    data: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left unchanged and reported; everything else continues, with the current cube."""
    monkeypatch.setattr(projection_module, "OUTDATED_SECONDS", -1.0)
    long_ago = to_us(NOW - timedelta(days=60))
    with open_installation(Settings(data=data, end_user_days=7), clock) as services:
        organization = services.administration.organizations.create("Acme")
        for number in range(3):
            event = make_event(
                organization_id=organization.organization_id,
                event_id=f"{number}",
                event_time_us=long_ago,
                end_user="somebody",
            )
            services.ledger.append([event])
        services.projection.catch_up()
        database = pysqlite3.connect(services.settings.database_path)
        database.execute("UPDATE usage_event SET cost_pusd = 1 WHERE event_id = '1'")
        database.commit()
        database.close()

        with pytest.raises(Damaged, match="Batch 2"):
            services.retention.apply()
        services.ledger.append([make_event(organization_id=organization.organization_id)])
        services.projection.work_once()
        services.projection.work_once()

        assert services.projection.pending_events == 0
        (found,) = services.ledger.read_history(organization.organization_id, EventId("2"))
        assert found.event.end_user == ""


def test_stopped_retention_continues_after_the_next_start(
    data: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "FIRST_ROWS", 2)
    settings = Settings(data=data, end_user_days=7)
    with open_installation(settings, clock) as services:
        organization = services.administration.organizations.create("Acme")
        operator = operator_of(organization)
        services.ledger.append(
            [
                make_event(
                    organization_id=organization.organization_id,
                    event_time_us=to_us(NOW - timedelta(days=60)),
                    end_user=f"user-{number}",
                )
                for number in range(7)
            ]
        )
        services.projection.catch_up()
        monkeypatch.setattr(erasing.Pace, "rest", lambda *_: services.retention.stop())
        (report,) = services.retention.apply()
        assert report.events == 2
    monkeypatch.undo()
    with open_installation(settings, clock) as services:
        (report,) = services.retention.apply()
        assert report.events == 5
        page = services.administration.audit.page(
            operator, AuditFilter(), before_number=None, limit=2
        )
        assert [shown.after and shown.after["events"] for shown in page] == [5, 2]
    assert b"user-3" not in b"".join(path.read_bytes() for path in data.glob("*.sqlite3*"))
