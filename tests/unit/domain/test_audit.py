"""An entry's digest covers all of it and everything before it."""

from dataclasses import fields, replace
from typing import Any

import pytest

from outlay.domain.actor import Channel
from outlay.domain.audit import GENESIS, Action, AuditEntry
from outlay.domain.ids import OrganizationId

ENTRY = AuditEntry(
    organization_id=OrganizationId("org_a"),
    number=7,
    time_us=1,
    channel=Channel.SESSION,
    author_id="mem_a",
    credential_id="tok_a",
    request_id="req_a",
    action=Action.MEMBER_UPDATE,
    target="mem_b",
    before={"role": "admin"},
    after={"role": "developer"},
)
OTHER: dict[str, Any] = {
    "number": 8,
    "time_us": 2,
    "channel": Channel.TOKEN,
    "action": Action.MEMBER_REMOVE,
    "before": None,
    "after": {"role": "owner"},
}
COVERED = [field.name for field in fields(AuditEntry) if field.name != "digest"]


@pytest.mark.parametrize("name", COVERED)
def test_digest_covers_every_field(name: str) -> None:
    changed = replace(ENTRY, **{name: OTHER.get(name, "another")})

    assert changed.digest_after(GENESIS) != ENTRY.digest_after(GENESIS)


def test_digest_covers_the_previous_entry() -> None:
    """An entry after another one has a different digest: none can be removed from the chain."""
    first, second = ENTRY.digest_after(GENESIS), replace(ENTRY, number=8).digest_after(GENESIS)

    assert ENTRY.digest_after(first) != ENTRY.digest_after(second)
    assert ENTRY.digest_after(first) != ENTRY.digest_after(GENESIS)


def test_digest_is_deterministic() -> None:
    again = replace(ENTRY, after=dict(ENTRY.after or {}), digest=b"whatever it was")

    assert again.digest_after(GENESIS) == ENTRY.digest_after(GENESIS)
