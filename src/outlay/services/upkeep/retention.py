"""Deletes expired data once a day.

That is personal data that is no longer needed: ended sessions and links, invitations that were not
accepted and, if the operator sets a time, the end users that requests claimed. Requests, their
costs and the audit trail itself are kept permanently.
"""

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from outlay.domain.audit import Action
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.domain.ids import OrganizationId
from outlay.domain.organization import Organization, operator_of
from outlay.domain.period import BUCKET_US, BUCKETS_PER_DAY
from outlay.domain.policy import Permission
from outlay.kit.clock import Clock, in_us, to_us
from outlay.kit.worker import Worker
from outlay.services.access.authentication import SESSION_IDLE, SESSION_LIFETIME
from outlay.services.cube.maintenance import Maintenance
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.storage.directory.audit import destroy_personal_values
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.invitations import delete_untaken
from outlay.storage.directory.organizations import list_organizations
from outlay.storage.directory.password_links import delete_expired_links
from outlay.storage.directory.sessions import delete_ended_sessions
from outlay.storage.ledger.store import Ledger
from outlay.storage.nodes import Nodes

logger = logging.getLogger(__name__)

RUN_EVERY: Final = timedelta(days=1)
RETRY_AFTER: Final = timedelta(minutes=5)
"""After a conflict with other maintenance, or if the database was unreachable."""
UNTAKEN_INVITATIONS: Final = timedelta(days=30)
"""How long after its expiry an invitation that was not accepted is deleted, with its address."""
_WEEK_BUCKETS: Final = 7 * BUCKETS_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionReport:
    """What was deleted of one organization."""

    organization_id: OrganizationId
    events: int
    """Events without their claimed end user; the events remain."""
    invitations: int


class Retention:
    """Applies the retention times."""

    def __init__(
        self,
        directory: Directory,
        audited: AuditedChanges,
        ledger: Ledger,
        maintenance: Maintenance,
        nodes: Nodes,
        clock: Clock,
        *,
        end_user_days: int,
    ) -> None:
        """`end_user_days` is the minimum retention of claimed end users; 0 means permanent."""
        self._directory = directory
        self._audited = audited
        self._ledger = ledger
        self._maintenance = maintenance
        self._nodes = nodes
        self._clock = clock
        self._end_user_days = end_user_days
        self._stopping = threading.Event()
        self._worker = Worker("retention", self._run)

    def start(self) -> None:
        """Apply now and then once a day in the background, on the leading node, until stopped."""
        self._worker.start()

    def stop(self) -> None:
        """Stop the thread; interrupted work continues after the next start."""
        self._stopping.set()
        self._worker.stop()

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                if self._nodes.lead():
                    self.apply()
            except Unavailable as error:
                logger.info("retention waits: %s", error.message)
                stop.wait(RETRY_AFTER / timedelta(seconds=1))
                continue
            except Exception:
                logger.exception("retention could not be applied; trying again in a day")
            stop.wait(RUN_EVERY / timedelta(seconds=1))

    def apply(self) -> list[RetentionReport]:
        """Delete expired data; returns what was deleted per organization.

        Can be repeated after an interruption. Raises Unavailable while the cube is being verified
        or rebuilt.
        """
        now_us = to_us(self._clock.now())
        with self._directory.write() as session:
            delete_ended_sessions(
                session, now_us - in_us(SESSION_LIFETIME), now_us - in_us(SESSION_IDLE)
            )
            delete_expired_links(session, now_us)
            organizations = list_organizations(session)
        dropped = self._drop_end_users(organizations, now_us) if self._end_user_days else {}
        reports = []
        for organization in organizations:
            events = dropped.get(organization.organization_id, 0)
            report = self._forget_invitations(organization, now_us, events)
            if report is not None:
                reports.append(report)
        if reports:
            self._directory.truncate_log()
        return reports

    def _drop_end_users(
        self, organizations: list[Organization], now_us: int
    ) -> dict[OrganizationId, int]:
        """By organization, the number of events whose claimed end user was deleted."""
        before_us = end_users_kept_from(now_us, self._end_user_days)
        totals = {organization.organization_id: 0 for organization in organizations}

        def drop() -> int:
            for organization_id in totals:
                totals[organization_id] = self._ledger.forget_end_users(
                    organization_id, before_us, self._stopping
                )
            if self._stopping.is_set():
                raise Unavailable(
                    "The server is shutting down. Try again when it has restarted.",
                    code=ErrorCode.SHUTTING_DOWN,
                )
            return sum(totals.values())

        # The cube groups by end user: rebuilt, it has none of these any more.
        try:
            self._maintenance.rewrite(drop, "retention")
        except Unavailable:
            if not self._stopping.is_set():
                raise
        return totals

    def _forget_invitations(
        self, organization: Organization, now_us: int, events: int
    ) -> RetentionReport | None:
        """Delete expired invitations, and audit everything that was deleted."""
        with self._audited.change(
            operator_of(organization), Permission.ORGANIZATION_WRITE
        ) as change:
            untaken = delete_untaken(
                change.session,
                organization.organization_id,
                now_us - in_us(UNTAKEN_INVITATIONS),
            )
            if not untaken and not events:
                change.cancel()
                return None
            destroyed = destroy_personal_values(change.session, untaken)
            change.note(
                Action.RETENTION_APPLY,
                organization.organization_id,
                after={"destroyed": destroyed, "events": events, "invitations": len(untaken)},
            )
        return RetentionReport(
            organization_id=organization.organization_id, events=events, invitations=len(untaken)
        )


def end_users_kept_from(now_us: int, days: int) -> int:
    """The instant from which end users are kept, in µs since the epoch: `days` back, rounded down
    to the start of that week, so that the cube is rebuilt once a week and not every day.
    """
    bucket = (now_us - in_us(timedelta(days=days))) // BUCKET_US
    return bucket // _WEEK_BUCKETS * _WEEK_BUCKETS * BUCKET_US
