"""Failed sign-ins on the audit trail: so that owners see them, and nobody can flood it.

An account's first failure is noted, then the second, the fourth, the eighth and so on within the
time that failures count; and no more than a hundred entries of an organization in that time.
"""

from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, Personal
from outlay.domain.policy import Permission
from outlay.kit.clock import in_us
from outlay.kit.secrets import digest_secret
from outlay.services.access.sign_in_throttle import WINDOW, Attempt
from outlay.services.directory.changes import Trail
from outlay.storage.directory.sign_in_failures import create_failures, find_failures

MAX_ENTRIES: Final = 100
"""Of one organization, while failures count."""


def note_failure(trail: Trail, account: Actor, attempt: Attempt, remote: str) -> None:
    """Put a failed attempt at somebody's account on the trail, if it is time for an entry."""
    if attempt.failures & (attempt.failures - 1):
        return
    source = digest_secret(f"noted {account.organization_id}")
    with trail.change(account, Permission.ACCOUNT_WRITE) as change:
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
