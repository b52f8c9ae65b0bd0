"""Answers do not change, byte by byte: names, order, digits and omitted fields.

`OUTLAY_WRITE_GOLDEN=1` rewrites them. For errors, status, code and field are compared.
"""

import json
import os
import random
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import store
from tests.factories import NOW, make_event

from outlay.domain.event import CostSource, Status, UsageEvent, UsageSource
from outlay.domain.organization import operator_of
from outlay.kit.clock import to_us
from outlay.web.http.openapi import API_PREFIX

FILE = Path(__file__).parents[1] / "data" / "golden_answers.json"
WINDOW = "from=2026-11-17&to=2026-11-20"
DAILY = f"{WINDOW}&bucket=day"

CHANGING = re.compile(r'(sha256"+:"+|"next":"|"previous":"|"nextCursor":")[^"]{20,}')
"""Digests and cursors, which contain ids and positions that differ between runs."""

QUESTIONS = (
    "/analytics/activity",
    f"/analytics/activity?{DAILY}&money=text",
    f"/analytics/activity?{DAILY}&groupBy=user,model&compare=previous",
    f"/analytics/activity?{DAILY}&groupBy=group&top=1",
    f"/analytics/activity?{DAILY}&groupBy=kind",
    f"/analytics/activity?{DAILY}&groupBy=tag:team&rankBy=totalTokens",
    f"/analytics/activity?{DAILY}&groupBy=status&compare=custom&compareFrom=2026-11-13",
    f"/analytics/activity?{DAILY}&shape=series",
    f"/analytics/activity?{DAILY}&shape=series&groupBy=group&compare=none&money=text",
    f"/analytics/activity?{DAILY}&shape=series&groupBy=kind&top=2",
    "/analytics/activity?preset=24H&groupBy=provider&timezone=Asia/Kathmandu",
    "/analytics/activity?from=2026-01-01&to=2026-01-02",
    f"/analytics/activity?{DAILY}&model=gpt-5.5&model=claude&app=web&status=ok&tag:team=search",
    f"/analytics/summary?{WINDOW}",
    f"/analytics/summary?{WINDOW}&compare=year&money=text",
    f"/analytics/summary?{WINDOW}&compare=previous&userId={{user_a}}",
    "/analytics/summary?from=2026-01-01&to=2026-01-02",
    f"/analytics/me?{DAILY}",
    f"/analytics/me?{DAILY}&groupBy=provider,app&compare=previous",
    f"/analytics/latency?{WINDOW}&groupBy=provider&top=1",
    f"/analytics/latency?{WINDOW}&groupBy=user",
    f"/analytics/health?{WINDOW}",
    "/analytics/health?from=2026-01-01&to=2026-01-02",
    f"/analytics/reported-costs?{WINDOW}",
    f"/analytics/reported-costs?{WINDOW}&compare=previous&money=text",
    f"/analytics/members?{WINDOW}",
    f"/analytics/members/{{user_a}}?{DAILY}",
    f"/analytics/keys/{{api_key}}?{DAILY}&money=text",
    f"/analytics/projects?{WINDOW}",
    f"/analytics/projects/{{project}}?{DAILY}",
    f"/analytics/groups?{WINDOW}",
    f"/analytics/users?{WINDOW}&selected={{user_a}}&sort=requestCount&order=asc&pageSize=1&page=2",
    f"/analytics/users?{WINDOW}&search=some&money=text",
    f"/analytics/users-and-groups?{DAILY}",
    f"/analytics/sessions?{WINDOW}&pageSize=1",
    f"/analytics/sessions?{WINDOW}&sort=cost&order=asc",
    "/analytics/sessions/agent-7?money=text",
    f"/requests?{WINDOW}&limit=3",
    f"/requests?{WINDOW}&limit=2&sort=cost&money=text",
    f"/requests?{WINDOW}&costSource=partial&usageSource=provider&hasReportedCost=true",
    f"/requests?{WINDOW}&errorCode=timeout&minLatencyMs=1&minCost=0.01&hour=2026-11-20T09:00:00Z",
    "/requests/golden-00000",
    "/requests/golden-00003?money=text",
    f"/exports/report?{WINDOW}&format=json&groupBy=user,model",
    f"/exports/report?{DAILY}&format=json&money=text&metrics=cost,requestCount,durationUs",
    f"/exports/report?{DAILY}&format=ndjson&metrics=cost,requestCount&limit=2",
    f"/exports/users?{WINDOW}&format=json",
    f"/exports/users?{WINDOW}&format=csv&selected={{user_a}}",
    f"/exports/requests?{WINDOW}&format=json&limit=2",
    f"/exports/reported-costs?{WINDOW}&format=json&groupBy=kind",
    f"/exports/activity.csv?{DAILY}&groupBy=kind",
    f"/exports/activity.csv?{DAILY}",
    f"/exports/me.csv?{WINDOW}",
)

REFUSED = (
    "/analytics/members/nobody",
    "/analytics/keys/nothing",
    "/analytics/projects/nothing",
    "/analytics/activity?nonsense=1",
    "/analytics/activity?preset=forever",
    "/analytics/activity?preset=7d&preset=30d",
    "/analytics/activity?from=2026-1-1",
    "/analytics/activity?from=2026-11-20&to=2026-11-01",
    "/analytics/activity?from=2026-11-20",
    "/analytics/activity?timezone=Mars/Olympus",
    "/analytics/activity?groupBy=colour",
    "/analytics/activity?groupBy=user,model,app",
    "/analytics/activity?groupBy=user,user",
    "/analytics/activity?groupBy=tag:Team",
    "/analytics/activity?groupBy=kind&rankBy=requestCount",
    "/analytics/activity?bucket=total",
    "/analytics/activity?bucket=year",
    "/analytics/activity?top=0",
    "/analytics/activity?top=1001",
    "/analytics/activity?top=many",
    "/analytics/activity?rankBy=luck",
    "/analytics/activity?compare=luck",
    "/analytics/activity?compareFrom=2026-11-01",
    "/analytics/activity?status=fine",
    "/analytics/activity?shape=round",
    "/analytics/activity?money=gold",
    "/analytics/activity?sort=cost",
    "/analytics/latency?groupBy=kind",
    "/analytics/users?groupBy=model",
    "/analytics/users?sort=luck",
    "/analytics/users?order=up",
    "/analytics/users?page=0",
    "/analytics/users?pageSize=100000",
    "/analytics/sessions?sort=luck",
    "/analytics/sessions?page=99999999",
    "/analytics/sessions/nothing",
    "/requests?groupBy=model",
    "/requests?minLatencyMs=-1",
    "/requests?minCost=1e3",
    "/requests?hour=2026-11-20T09:07:00Z&preset=7d",
    "/requests?hour=2020-11-20T09:00:00Z&preset=7d",
    "/requests?hasReportedCost=maybe",
    "/requests?costSource=thin-air",
    "/requests?usageSource=thin-air",
    "/requests?cursor=rubbish",
    "/requests?limit=100000",
    "/requests?sort=luck",
    "/requests/nothing",
    "/exports/users?groupBy=model",
    "/exports/requests?groupBy=model",
    "/exports/report?metrics=luck",
    "/exports/report?metrics=cost,cost",
    "/exports/report?format=docx",
    "/exports/report?trailer=first",
    "/exports/report?groupBy=kind",
    "/exports/report?limit=0",
    "/exports/reported-costs?groupBy=user",
    "/exports/activity.csv?money=text",
)


def golden_events(ids: dict[str, str]) -> Iterator[UsageEvent]:
    """Sixty events with everything that answers distinguish."""
    chance = random.Random(20)  # the same events each time; not for secrets
    statuses = [Status.OK] * 6 + [Status.UPSTREAM_ERROR, Status.CLIENT_ERROR, Status.CANCELED]
    for number in range(60):
        status = chance.choice(statuses)
        cost = chance.randrange(10**9, 10**12)
        source = chance.choice([CostSource.COMPUTED, CostSource.PARTIAL, CostSource.UNPRICED])
        is_priced = source is not CostSource.UNPRICED
        is_stream = number % 3 == 0
        yield make_event(
            event_id=f"golden-{number:05}",
            event_time_us=to_us(NOW - timedelta(minutes=7 + 163 * number)),
            project_id=chance.choice([ids["project"], "prj_elsewhere", ""]),
            api_key_id=chance.choice([ids["api_key"], ""]),
            member_id=chance.choice([ids["user_a"], ""]),
            user_id=chance.choice([ids["user_a"], "user-b", ""]),
            groups=chance.choice(["", ids["group"], f"{ids['group']},grp_zzz"]),
            app=chance.choice(["web", "cli", ""]),
            end_user=chance.choice(["eve@example.test", ""]),
            session_id=chance.choice(["agent-7", "chat-9", ""]),
            model=chance.choice(["gpt-5.5", "claude", "Modèle\u2028\x7f"]),
            mapping=chance.choice(["openai/gpt-5.5", "azure/gpt-5.5"]),
            provider=chance.choice(["openai", "anthropic"]),
            tags=chance.choice(["", "team=search", "team=billing"]),
            status=status,
            http_status=200 if status is Status.OK else 500,
            error_code="" if status is Status.OK else "timeout",
            usage_source=chance.choice(list(UsageSource)[:3]),
            input_tokens=chance.randrange(10_000),
            output_tokens=chance.randrange(10_000),
            cache_read_input_tokens=chance.randrange(9),
            meters=chance.choice(["", "web_search=3"]),
            meter_costs="",
            cost_source=source,
            cost_pusd=cost if is_priced else 0,
            output_cost_pusd=cost if is_priced else 0,
            computed_cost_pusd=cost if source is CostSource.COMPUTED else None,
            reported_cost_pusd=chance.choice([None, cost + 7]),
            unpriced_parts="acme_credits" if source is CostSource.PARTIAL else "",
            unread="acme_credits" if number % 11 == 0 else "",
            duration_us=chance.choice([None, chance.randrange(1, 9_000_000)]),
            time_to_first_token_us=chance.randrange(1, 90_000) if is_stream else None,
            is_stream=int(is_stream),
        )


def make_place(server: Server) -> tuple[Tenant, dict[str, str]]:
    """An organization with one of everything, and the ids that questions and answers refer to."""
    tenant = server.tenant()
    administration = server.services.administration
    operator, member_id = operator_of(tenant.organization), tenant.member.member_id
    project = administration.projects.create(operator, "Checkout")
    key, _ = administration.keys.create(
        operator, project_id=project.project_id, description="prod", member_id=member_id
    )
    group = administration.groups.create(operator, "Platform")
    administration.tags.add(operator, "team")
    ids = {
        "user_a": member_id,
        "email": tenant.member.email,
        "project": project.project_id,
        "api_key": key.api_key_id,
        "group": group.group_id,
    }
    return tenant, ids


@pytest.fixture(scope="module")
def place(server: Server) -> tuple[Tenant, dict[str, str]]:
    """An organization with usage of every kind."""
    tenant, ids = make_place(server)
    store(server, tenant, list(golden_events(ids)))
    return tenant, ids


def ask(server: Server, place: tuple[Tenant, dict[str, str]], question: str) -> httpx.Response:
    tenant, ids = place
    path = question
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    return server.http.get(f"{API_PREFIX}{path}", headers=tenant.headers)


def recorded(question: str, answer: str) -> str:
    """The recorded answer; with the variable set, the current one is recorded."""
    known: dict[str, str] = json.loads(FILE.read_text()) if FILE.exists() else {}
    if os.environ.get("OUTLAY_WRITE_GOLDEN"):
        known[question] = answer
        FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    return known[question]


@pytest.mark.parametrize("question", QUESTIONS)
def test_answers_are_unchanged(
    server: Server, place: tuple[Tenant, dict[str, str]], question: str
) -> None:
    answer = ask(server, place, question)
    text = answer.text
    for name, value in place[1].items():
        text = text.replace(value, f"{{{name}}}")
    text = CHANGING.sub(r"\1…", text)

    assert text == recorded(question, text)


@pytest.mark.parametrize("question", REFUSED)
def test_refusals_keep_their_code_and_field(
    server: Server, place: tuple[Tenant, dict[str, str]], question: str
) -> None:
    answer = ask(server, place, question)
    problem = answer.json() if answer.status_code >= 400 else {}
    text = f"{answer.status_code} {problem.get('code')} {problem.get('field')}"

    assert text == recorded(question, text)
