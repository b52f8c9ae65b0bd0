"""Failures in the audit trail: the first, the second, the fourth, the eighth."""

from dataclasses import replace

import pytest

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, AuditFilter
from outlay.domain.organization import Member
from outlay.services.access import failed_sign_ins
from outlay.services.access.failed_sign_ins import note_failure
from outlay.services.access.sign_in_throttle import Attempt
from outlay.services.bundle import Administration
from outlay.services.directory.audited_changes import AuditedChanges


def noted(administration: Administration, operator: Actor) -> list[object]:
    entries = administration.audit.all(operator, AuditFilter())
    return [
        (shown.after or {})["failures"]
        for shown in entries
        if shown.entry.action == Action.SESSION_REFUSE
    ]


def test_failures_are_noted_when_they_have_doubled(
    administration: Administration, operator: Actor, owner: Member, trail: AuditedChanges
) -> None:
    account = replace(operator, member_id=owner.member_id)
    for number in range(1, 20):
        note_failure(trail, account, Attempt((b"x",), 0, number), "192.0.2.1")

    assert noted(administration, operator) == [16, 8, 4, 2, 1]


def test_nobody_floods_the_trail(
    administration: Administration,
    operator: Actor,
    owner: Member,
    trail: AuditedChanges,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failed_sign_ins, "MAX_ENTRIES", 5)
    account = replace(operator, member_id=owner.member_id)
    for _ in range(8):
        note_failure(trail, account, Attempt((b"x",), 0, 1), "192.0.2.1")

    assert len(noted(administration, operator)) == 5
