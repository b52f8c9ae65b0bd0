"""The gauges of `/metrics`: what the parts of an installation say about themselves."""

from outlay.domain.verification import VerificationState
from outlay.kit.clock import MICROSECONDS
from outlay.services.bundle import Services
from outlay.web.http.connections import Connections
from outlay.web.http.metrics import Metrics


def add_gauges(metrics: Metrics, services: Services, connections: Connections) -> None:
    """Show how stores, background work, connections and sign-ins are doing."""
    _add_stores(metrics, services)
    _add_checks(metrics, services)
    _add_edge(metrics, services, connections)


def _add_stores(metrics: Metrics, services: Services) -> None:
    metrics.add_gauge(
        "outlay_ledger_lag_events",
        "Events on record that are not in answers yet.",
        lambda: services.projection.pending_events,
        combine=max,
    )
    metrics.add_gauge(
        "outlay_outcomes_overdue",
        "Outcomes that wait for a ledger that cannot write.",
        lambda: services.gateway.intents.overdue,
    )
    metrics.add_gauge(
        "outlay_journal_entries",
        "Events and intents in the write-ahead buffer, for a database that is away.",
        lambda: services.ledger.buffered,
    )


def _add_checks(metrics: Metrics, services: Services) -> None:
    metrics.add_gauge(
        "outlay_scrub_faults",
        "Damaged rows and batches that the last scrub has found.",
        lambda: len(services.scrubbing.faults),
        combine=max,
    )
    metrics.add_gauge(
        "outlay_scrub_finished_seconds",
        "When the last scrub ended, in seconds since the epoch; 0 before the first.",
        lambda: (services.scrubbing.state.finished_at_us or 0) // MICROSECONDS,
        combine=max,
    )
    metrics.add_gauge(
        "outlay_verification_failed",
        "1 when the last verification found that cube and ledger differ, or damage.",
        lambda: int(services.maintenance.last_verified.state is VerificationState.DIFFERS),
        combine=max,
    )
    metrics.add_gauge(
        "outlay_verified_timestamp_seconds",
        "When the last verification ended, in seconds since the epoch; 0 before the first.",
        lambda: int(at.timestamp()) if (at := services.maintenance.last_verified.at) else 0,
        combine=max,
    )


def _add_edge(metrics: Metrics, services: Services, connections: Connections) -> None:
    metrics.add_gauge(
        "outlay_connections", "Open connections of clients.", lambda: len(connections)
    )
    metrics.add_gauge(
        "outlay_connections_refused",
        "Connections refused, or closed for others, at a ceiling since the start.",
        lambda: connections.refused,
    )
    throttle = services.administration.sign_in.throttle
    metrics.add_gauge(
        "outlay_sign_ins_attempted",
        "Attempts to sign in, successful ones included, since the start.",
        lambda: throttle.attempts,
    )
    metrics.add_gauge(
        "outlay_sign_ins_refused",
        "Attempts to sign in that were delayed after failures, since the start.",
        lambda: throttle.refused,
    )
