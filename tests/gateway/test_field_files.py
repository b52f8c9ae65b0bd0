"""Files from the field: each row is counted and priced correctly, or marked as uncertain.

The cases are those of `tests/data/cases` that have files; see `test_field_cases.py`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outlay.bootstrap.installation import open_installation
from outlay.domain.event import UsageEvent
from outlay.domain.meter import split_meters
from outlay.domain.money import PUSD_PER_USD
from outlay.services.bundle import Services
from outlay.services.recording.importing import (
    FileImport,
    FileImporter,
    ImportState,
    mapping_for,
    read_import,
)
from outlay.settings import Settings
from outlay.storage.ledger.rows import from_row
from outlay.wire.files.mapping import parse_mapping
from tests.gateway.test_field_cases import CASES, Case, cases, check_event

ELSEWHERE = {
    "151-reconcile-tool-lines": "acceptance/test_reconciliation.py",
    "152-days-zones-dst": "acceptance/test_analytics_oracle.py",
    "154-users-pages-top-n": "acceptance/test_complete_ranking.py",
    "156-deleted-key-project": "acceptance/test_discovered.py",
    "157-claude-code-end-user": "unit/wire/test_caller.py",
    "159-other-gateways-headers": "gateway/test_keys_and_routes.py",
    "160-month-limit-local-midnight": "gateway/test_limits.py",
    "161-unpriced-under-limit": "gateway/test_limits.py",
}
"""Cases without input, which describe an action, and the tests that perform it."""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with open_installation(Settings(data=tmp_path_factory.mktemp("files") / "data")) as opened:
        yield opened


class NoRejects:
    """Fails if a row is rejected."""

    def write(self, row: Any, fault: str) -> None:
        """Store a row."""
        raise AssertionError(f"row {row.number}: {fault}")


def imported(services: Services, case: Case) -> list[UsageEvent]:
    """The recorded events after importing the files of a case."""
    organization = services.administration.organizations.create(case.name[:40])
    seen = services.ledger.last_seq
    for name in case.content["files"]:
        path = case.folder / name
        own = case.content.get("mapping")
        mapping = (
            parse_mapping((case.folder / own).read_bytes(), own) if own else mapping_for(path, None)
        )

        def record(reports: Any) -> Any:
            return services.recorder.record(organization.organization_id, reports)

        rows = read_import(FileImport(path=path, mapping=mapping), services.clock.now())
        importer = FileImporter(record, NoRejects(), ImportState(), lambda _: None)
        list(importer.run(rows))
        assert importer.state.conflict == 0
    batches = services.ledger.read_batches(seen)
    return [from_row(row) for batch in batches for row in batch.rows]


@pytest.mark.parametrize("case", cases("files"))
def test_file_is_counted_and_priced(services: Services, case: Case) -> None:
    expected = case.content.get("expect", {})
    events = imported(services, case)

    assert len(events) == expected.get("count", len(events))
    sums = {
        "totalIn": sum(event.input_tokens for event in events),
        "totalOut": sum(event.output_tokens for event in events),
        "totalCost": round(sum(event.cost_pusd for event in events) / PUSD_PER_USD, 10),
        "totalSearches": sum(split_meters(e.meters).get("web_searches", 0) for e in events),
    }
    assert {name: sums[name] for name in sums if name in expected} == {
        name: expected[name] for name in sums if name in expected
    }
    found = {event.event_id: event for event in events}
    for event_id, wanted in case.content.get("events", {}).items():
        event = found[event_id]
        check_event(event, wanted)
        for name, column in (
            ("computed", "computed_cost_pusd"),
            ("reported", "reported_cost_pusd"),
        ):
            if name in wanted:
                assert getattr(event, column) == round(wanted[name] * PUSD_PER_USD)


def test_every_case_is_tested() -> None:
    fields = ("path", "post", "files")
    tried = {param.values[0].name for field in fields for param in cases(field)}

    assert {path.name for path in CASES.iterdir()} - tried == set(ELSEWHERE)
    tests = Path(__file__).parent.parent
    assert [place for place in ELSEWHERE.values() if not (tests / place).exists()] == []
