"""Metrics of several processes: each process answers for all."""

import os
from dataclasses import replace
from pathlib import Path

from outlay.kit.clock import SystemClock
from outlay.settings import Settings
from outlay.web.http.metrics import Metrics
from outlay.web.http.metrics_exchange import MetricsExchange


def one_of_two(data: Path, worker: int) -> tuple[Metrics, MetricsExchange]:
    """One process of two, with its metrics."""
    settings = replace(Settings(data=data, workers=2), worker=worker)
    exchange = MetricsExchange(settings, SystemClock(), lambda: metrics.snapshot())
    metrics = Metrics(exchange.others)
    metrics.add_gauge("lag", "How far behind.", lambda: 10 * (worker + 1), combine=max)
    return metrics, exchange


def test_counts_times_and_gauges_are_summed(tmp_path: Path) -> None:
    (first, _), (second, exchange) = one_of_two(tmp_path, 0), one_of_two(tmp_path, 1)
    for metrics, count in ((first, 3), (second, 5)):
        metrics.in_flight = count
        for _ in range(count):
            metrics.note_end("chat", "ok")
            metrics.note_times("chat", 0.2, 0.003)
    second.note_end("embeddings", "ok")
    alone = first.render().decode()
    exchange.write()
    together = first.render().decode()

    assert 'outlay_requests_total{operation="chat",status="ok"} 3.0' in alone
    assert 'outlay_requests_total{operation="chat",status="ok"} 8.0' in together
    assert 'outlay_requests_total{operation="embeddings",status="ok"} 1.0' in together
    assert 'outlay_upstream_seconds_count{operation="chat"} 8.0' in together
    assert 'outlay_upstream_seconds_bucket{le="0.1",operation="chat"} 0.0' in together
    assert 'outlay_upstream_seconds_bucket{le="0.25",operation="chat"} 8.0' in together
    assert "outlay_requests_in_flight 8.0" in together
    assert "lag 10.0" in alone
    assert "lag 20.0" in together


def test_ended_process_is_not_summed(tmp_path: Path) -> None:
    (first, _), (second, exchange) = one_of_two(tmp_path, 0), one_of_two(tmp_path, 1)
    second.note_end("chat", "ok")
    exchange.write()
    path = tmp_path / "metrics-1.json"
    assert "outlay_requests_total{" in first.render().decode()

    os.utime(path, (path.stat().st_mtime - 60,) * 2)
    assert "outlay_requests_total{" not in first.render().decode()
    path.write_text("half a")
    assert "outlay_requests_total{" not in first.render().decode()
