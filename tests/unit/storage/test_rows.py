"""A field of an event is declared once; its rows are the same as those of earlier versions."""

from dataclasses import fields
from typing import Any

from outlay.domain.event import CostSource, Status, UsageEvent, UsageSource, declared
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.usage_report import UsageReport, reported_fields
from outlay.storage.ledger.rows import (
    GENESIS,
    ROW_COLUMNS,
    batch_checksum,
    facts_digest,
    facts_json,
    from_row,
    to_row,
)
from outlay.wire.native import NativeEvent

PLAIN = UsageEvent(
    event_id=EventId("e1"),
    organization_id=OrganizationId("org"),
    event_time_us=1_790_000_000_000_000,
    provider="openai",
    mapping="openai/gpt-5.5",
)


def full_event() -> UsageEvent:
    """An event in which every field has a unique value that differs from its default."""
    special: dict[str, Any] = {
        "status": Status.UPSTREAM_ERROR,
        "usage_source": UsageSource.ESTIMATED,
        "cost_source": CostSource.PARTIAL,
        "is_stream": True,
        "adjusted": True,
    }
    values = {
        name: special.get(
            name, name if kind in {str, OrganizationId, EventId} else 1000 + column.number
        )
        for name, (kind, column) in declared(UsageEvent).items()
    }
    return UsageEvent(**values)


def test_every_field_has_a_column_of_its_own() -> None:
    columns = declared(UsageEvent)

    assert set(columns) == {field.name for field in fields(UsageEvent)}
    assert [column.number for _, column in columns.values()] == list(range(len(columns)))
    assert ROW_COLUMNS[3:] == tuple(columns)


def test_rows_digests_and_checksums_are_those_of_earlier_versions() -> None:
    rows = [to_row(PLAIN, 1, 7), to_row(full_event(), 2, 7)]

    assert facts_digest(PLAIN).hex() == "f22764bf54a62d8dcd7f4362c62a66b4"
    assert facts_digest(full_event()).hex() == "10261ea4572165cdb7537f54942e1545"
    assert batch_checksum(GENESIS, rows).hex() == "ef87166c0f7d515d7af4fea2e0e9b7e4"
    assert facts_json(PLAIN).startswith('{"event_time_us":1790000000000000,"project_id":"",')
    assert [type(value) for value in rows[1] if type(value) not in {int, str, bytes}] == []


def test_an_event_comes_back_from_its_row() -> None:
    event = from_row(to_row(full_event(), 1, 7))

    assert event == full_event()
    assert (type(event.is_stream), type(event.status)) == (bool, Status)


def test_event_copies_the_fields_of_its_report() -> None:
    report = UsageReport(
        event_id=EventId("e"), event_time_us=1, provider="p", mapping="p/m", usage=None
    )

    assert set(reported_fields(report)) < set(declared(UsageEvent))


def test_the_wire_format_has_every_field_of_a_report_but_its_source() -> None:
    renamed = {
        "event_time": "event_time_us",
        "model": "mapping",
        "duration_ms": "duration_us",
        "time_to_first_token_ms": "time_to_first_token_us",
        "reported_cost": "reported_cost_pusd",
    }
    on_the_wire = {renamed.get(name, name) for name in NativeEvent.__struct_fields__}

    assert on_the_wire == {field.name for field in fields(UsageReport)} - {"source"}
