"""The reference of the metrics, generated from a server's answer at `/metrics`."""

import asyncio

import httpx
from prometheus_client.parser import text_string_to_metric_families
from tools.docs.markdown import code, page, table

from outlay.web.app import Application

OWN = "outlay_"


def metrics(application: Application) -> str:
    """Every metric that Outlay defines."""
    families = text_string_to_metric_families(asyncio.run(_scrape(application)))
    return page(
        "Metrics",
        "`GET /metrics` answers in Prometheus' text format, without a credential and without data "
        "of any organization. Metrics of the process (`process_…`) come in addition. What to alert "
        "on: [monitoring](../operations/monitoring.md).",
        table(
            ["metric", "type", "meaning"],
            (
                [code(_name(family.name, family.type)), family.type, family.documentation]
                for family in families
                if family.name.startswith(OWN)
            ),
        ),
    )


def _name(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else name


async def _scrape(application: Application) -> str:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/metrics")
        return answer.raise_for_status().text
