"""The gauges of `/metrics`: state of stores, background tasks, connections and sign-ins."""

from outlay.domain.verification import VerificationState
from outlay.kit.clock import MICROSECONDS
from outlay.services.bundle import Services
from outlay.web.http.connections import Connections
from outlay.web.http.metrics import Metrics


def add_gauges(metrics: Metrics, services: Services, connections: Connections) -> None:
    """Add the gauges of stores, background tasks, connections and sign-ins."""
    _add_stores(metrics, services)
    _add_checks(metrics, services)
    _add_edge(metrics, services, connections)


def _add_stores(metrics: Metrics, services: Services) -> None:
    metrics.add_gauge(
        "outlay_ledger_lag_events",
        "Recorded events that are not in answers yet.",
        lambda: services.projection.pending_events,
        combine=max,
    )
    metrics.add_gauge(
        "outlay_outcomes_overdue",
        "Outcomes waiting because the ledger is not writable.",
        lambda: services.gateway.intents.overdue,
    )
    metrics.add_gauge(
        "outlay_journal_entries",
        "Events and intents in the write-ahead buffer while the database is unreachable.",
        lambda: services.ledger.buffered,
    )


def _add_checks(metrics: Metrics, services: Services) -> None:
    metrics.add_gauge(
        "outlay_scrub_faults",
        "Damaged rows and batches found by the last scrub.",
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
        "1 if the last verification found a difference between cube and ledger, or damage.",
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
    metrics.add_gauge("outlay_connections", "Open client connections.", lambda: len(connections))
    metrics.add_gauge(
        "outlay_connections_refused",
        "Connections refused or closed at a connection limit since the start.",
        lambda: connections.refused,
    )
    throttle = services.administration.sign_in.throttle
    metrics.add_gauge(
        "outlay_sign_ins_attempted",
        "Sign-in attempts since the start, including successful ones.",
        lambda: throttle.attempts,
    )
    metrics.add_gauge(
        "outlay_sign_ins_refused",
        "Sign-in attempts since the start that were delayed after failures.",
        lambda: throttle.refused,
    )
