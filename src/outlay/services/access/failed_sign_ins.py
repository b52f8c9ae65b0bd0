"""Failed sign-ins in the audit trail, limited so that it cannot be flooded.

An account's first failure is recorded, then the second, the fourth, the eighth and so on within the
time that failures count, and at most a hundred entries per organization in that time.
"""

from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, Personal
from outlay.domain.policy import Permission
from outlay.kit.clock import in_us
from outlay.kit.secrets import digest_secret
from outlay.services.access.sign_in_throttle import WINDOW, Attempt
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.storage.directory.sign_in_failures import create_failures, find_failures

MAX_ENTRIES: Final = 100
"""Per organization, while failures count."""


def note_failure(audited: AuditedChanges, account: Actor, attempt: Attempt, remote: str) -> None:
    """Record a failed attempt at an account in the audit trail, if an entry is due."""
    if attempt.failures & (attempt.failures - 1):
        return
    source = digest_secret(f"noted {account.organization_id}")
    with audited.change(account, Permission.ACCOUNT_WRITE) as change:
        since_us = change.now_us - in_us(WINDOW)
        if find_failures(change.session, source, since_us).number >= MAX_ENTRIES:
            change.cancel()
            return
        create_failures(change.session, (source,), change.now_us, since_us)
        change.note(
            Action.SESSION_REFUSE,
            account.member_id,
            after={
                "failures": attempt.failures,
                "address": Personal(account.member_id, remote),
            },
        )
