"""What a client sees of damage: a specific error that names the damaged data, and nothing else."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pysqlite3
import pytest
from tests.acceptance.conftest import Server


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_damaged_request_is_hidden_and_others_are_shown(server: Server, accept: str) -> None:
    tenant = server.tenant()
    for name in ("whole", "damaged"):
        event = {
            "eventId": f"{name}-{accept}",
            "eventTime": "2026-11-20T09:00:00Z",
            "model": "openai/gpt-5.5",
            "usage": {"inputTokens": 7, "outputTokens": 8},
        }
        posted = server.http.post("/v1/usage/events", json=[event], headers=tenant.headers)
        assert posted.status_code == 200, posted.text
    server.services.projection.catch_up()
    headers = {**tenant.headers, "Accept": accept}

    with damaged(server, f"damaged-{accept}"):
        shown = server.http.get(f"/api/v1/requests/damaged-{accept}", headers=headers)
        page = server.http.get("/api/v1/requests", headers=headers, params={"preset": "all"})
        whole = server.http.get(f"/api/v1/requests/whole-{accept}", headers=tenant.headers)

    for answer in (shown, page):
        assert answer.status_code == 500
        assert "ledger-checksum" in answer.text
        assert "Restore a backup." in answer.text
    assert whole.status_code == 200
    assert "outlay_scrub_faults 0.0" in server.http.get("/metrics").text


@contextmanager
def damaged(server: Server, event_id: str) -> Iterator[None]:
    """Change the cost of an event on disk while the block runs."""

    def add(pusd: int) -> None:
        path = server.services.settings.database_path
        with closing(pysqlite3.connect(path)) as connection:
            connection.execute(
                "UPDATE usage_event SET cost_pusd = cost_pusd + ? WHERE event_id = ?",
                (pusd, event_id),
            )
            connection.commit()

    add(999)
    try:
        yield
    finally:
        add(-999)
