"""Files of other systems, row by row: what each export contains is recorded."""

import csv
import gzip
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories import NOW

from outlay.domain.errors import Invalid
from outlay.domain.event import Status
from outlay.domain.ids import EventId
from outlay.domain.meter import settle_meters
from outlay.domain.outcome import Outcome
from outlay.domain.usage import TokenUsage, settle_tokens
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.services.recording.importing import (
    FileImport,
    FileImporter,
    ImportState,
    mapping_for,
    read_import,
)
from outlay.services.recording.repeated_rows import ReadRow
from outlay.wire.files.mapping import FileMapping, find_mapping, format_names, parse_mapping
from outlay.wire.files.reports import Assumptions, ReportReader

NINE = "2026-11-19T09:00:00Z"
NINE_US = to_us(datetime(2026, 11, 19, 9, tzinfo=UTC))


def reports_of(path: Path, **job: Any) -> list[UsageReport]:
    """The reports of a file whose format is detected by its columns; no row is invalid."""
    mapping = job.pop("mapping", None) or mapping_for(path, None)
    rows = list(read_import(FileImport(path=path, mapping=mapping, **job), NOW))
    assert [row.fault for row in rows if row.fault] == []
    return [report for row in rows for report in row.reports]


def write_csv(path: Path, *rows: dict[str, Any]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_json(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


SPEND_LOG = {
    "request_id": "chatcmpl-7",
    "call_type": "acompletion",
    "api_key": "hash-1",
    "spend": 0.005196,
    "total_tokens": 1500,
    "prompt_tokens": 1200,
    "completion_tokens": 300,
    "startTime": "2026-11-19 09:00:00",
    "endTime": "2026-11-19 09:00:02.5",
    "completionStartTime": "2026-11-19 09:00:00.25",
    "model": "gpt-5.4",
    "model_group": "smart",
    "custom_llm_provider": "openai",
    "user": "u1",
    "metadata": json.dumps(
        {
            "user_api_key_alias": "search-prod",
            "user_api_key_team_alias": "Growth",
            "user_api_key_user_email": "ada@example.test",
            "usage_object": {
                "prompt_tokens_details": {"cached_tokens": 1024},
                "completion_tokens_details": {"reasoning_tokens": 256},
            },
        }
    ),
    "cache_hit": "False",
    "request_tags": '["app:demo", "User-Agent: x"]',
    "team_id": "team-1",
    "end_user": "customer-3",
    "status": "success",
}


@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "json", "parquet"])
def test_litellm_spend_logs_in_every_form(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"logs.{form}"
    if form == "csv.gz":
        plain = write_csv(tmp_path / "plain.csv", SPEND_LOG)
        path.write_bytes(gzip.compress(plain.read_bytes()))
    elif form == "csv":
        write_csv(path, SPEND_LOG)
    elif form == "jsonl":
        path.write_text(json.dumps(SPEND_LOG) + "\n\n")
    elif form == "json":
        write_json(path, [SPEND_LOG])
    else:
        source = write_json(tmp_path / "source.json", [SPEND_LOG])
        with duckdb.connect() as connection:
            connection.sql(f"SELECT * FROM '{source}'").write_parquet(str(path))

    (report,) = reports_of(path)

    assert report == UsageReport(
        event_id=EventId("chatcmpl-7"),
        event_time_us=NINE_US,
        provider="openai",
        mapping="openai/gpt-5.4",
        usage=TokenUsage(1200, 300, 1024, 0, 0, 256),
        project_id="team-1",
        api_key_id="hash-1",
        user_id="ada@example.test",
        end_user="customer-3",
        app="demo",
        status=Status.OK,
        usage_source=report.usage_source,
        duration_us=2_500_000,
        time_to_first_token_us=250_000,
        is_stream=True,
        reported_cost_pusd=5_196_000_000,
        source="import:litellm-spend-logs",
        names={"team-1": "Growth", "hash-1": "search-prod"},
    )


def test_spend_logs_distinguish_failures_and_cached_answers(tmp_path: Path) -> None:
    failed = {
        **SPEND_LOG,
        "request_id": "a",
        "status": "failure",
        "metadata": json.dumps({"error_information": {"error_code": "400", "error_class": "Bad"}}),
    }
    cached = {**SPEND_LOG, "request_id": "b", "cache_hit": "True"}

    first, second = reports_of(write_csv(tmp_path / "logs.csv", failed, cached))

    assert (first.status, first.http_status, first.error_code) == (Status.CLIENT_ERROR, 400, "Bad")
    assert second.usage == TokenUsage()


def usage_page(results: list[dict[str, Any]]) -> dict[str, Any]:
    bucket = {"object": "bucket", "start_time": NINE_US // 10**6, "end_time": 0, "results": results}
    empty = {"object": "bucket", "start_time": 1, "end_time": 2, "results": []}
    return {"object": "page", "data": [bucket, empty], "has_more": False, "next_page": None}


def test_openai_usage_rows_have_a_number_of_requests(tmp_path: Path) -> None:
    result = {
        "object": "organization.usage.completions.result",
        "input_tokens": 1001,
        "output_tokens": 503,
        "input_cached_tokens": 407,
        "num_model_requests": 7,
        "project_id": "proj_1",
        "user_id": None,
        "api_key_id": "key_1",
        "model": "gpt-4o-2024-08-06",
        "batch": False,
    }
    batch = {**result, "batch": True, "num_model_requests": 1}
    found = reports_of(write_json(tmp_path / "usage.json", usage_page([result, batch])))

    many, one = found[:7], found[7]
    usages = [report.usage for report in many if report.usage]
    assert len(found) == 8
    assert [sum(counts) for counts in zip(*usages, strict=True)] == [1001, 503, 407, 0, 0, 0]
    assert len({report.event_id for report in found}) == 8
    assert {report.event_time_us for report in found} == {NINE_US}
    assert (one.mapping, one.price_context) == (
        "openai/gpt-4o-2024-08-06",
        {"processing": "batch"},
    )
    assert (one.project_id, one.api_key_id) == ("proj_1", "key_1")
    again = reports_of(write_json(tmp_path / "later.json", [usage_page([result]), usage_page([])]))
    assert [report.event_id for report in again] == [report.event_id for report in many]


def test_openai_costs_are_invoice_lines(tmp_path: Path) -> None:
    result = {
        "object": "organization.costs.result",
        "amount": {"value": 0.06, "currency": "usd"},
        "line_item": "gpt-4o-2024-08-06, input",
        "project_id": "proj_1",
    }

    (report,) = reports_of(write_json(tmp_path / "costs.json", usage_page([result])))

    assert (report.mapping, report.operation) == ("openai/gpt-4o-2024-08-06", "invoice_line")
    assert (report.usage, report.reported_cost_pusd) == (None, 60_000_000_000)


def test_anthropic_usage_keeps_prices_by_input_size(tmp_path: Path) -> None:
    result = {
        "uncached_input_tokens": 300_001,
        "cache_read_input_tokens": 100_000,
        "cache_creation": {"ephemeral_1h_input_tokens": 7, "ephemeral_5m_input_tokens": 20},
        "output_tokens": 5_000,
        "workspace_id": "wrk_1",
        "api_key_id": None,
        "model": "claude-sonnet-4-5",
        "service_tier": "standard",
        "context_window": "0-200k",
    }
    bucket = {"starting_at": NINE, "ending_at": "2026-11-20T00:00:00Z", "results": [result]}
    path = write_json(tmp_path / "usage.json", {"data": [bucket], "has_more": False})

    found = reports_of(path)

    usages = [report.usage for report in found if report.usage]
    assert [sum(counts) for counts in zip(*usages, strict=True)] == [
        400_028,
        5_000,
        100_000,
        27,
        7,
        0,
    ]
    assert max(usage.input_tokens for usage in usages) <= 200_000
    assert {report.project_id for report in found} == {"wrk_1"}


def test_anthropic_console_export(tmp_path: Path) -> None:
    row = {
        "usage_date_utc": "2026-11-19",
        "model_version": "claude-sonnet-4-5-20250929",
        "api_key": "prod",
        "workspace": "Search",
        "usage_type": "standard",
        "context_window": "0-200k",
        "usage_input_tokens_no_cache": 100,
        "usage_input_tokens_cache_write_5m": 10,
        "usage_input_tokens_cache_write_1h": 5,
        "usage_input_tokens_cache_read": 20,
        "usage_output_tokens": 7,
    }

    (report,) = reports_of(write_csv(tmp_path / "usage.csv", row))

    assert report.usage == TokenUsage(135, 7, 20, 15, 5, 0)
    assert (report.project_id, report.api_key_id) == ("Search", "prod")


def test_openrouter_activity(tmp_path: Path) -> None:
    row = {
        "generation_id": "gen-1",
        "created_at": "2026-11-19 09:00:00.000",
        "cost_total": "0.0123",
        "tokens_prompt": "1,000",
        "tokens_completion": 200,
        "tokens_reasoning": 50,
        "tokens_cached": 300,
        "model_permaslug": "anthropic/claude-sonnet-4.5",
        "provider_name": "Anthropic",
        "cancelled": "false",
        "streamed": "true",
        "user": "customer-3",
        "generation_time_ms": 1500,
        "time_to_first_token_ms": 300,
        "app_name": "Shop",
        "api_key_name": "prod",
    }
    canceled = {**row, "generation_id": "gen-2", "cancelled": "true"}

    report, second = reports_of(write_csv(tmp_path / "activity.csv", row, canceled))

    assert report.mapping == "openrouter/anthropic/claude-sonnet-4.5"
    assert report.usage == TokenUsage(1000, 200, 300, 0, 0, 50)
    assert (report.reported_cost_pusd, report.is_stream) == (12_300_000_000, True)
    assert (report.duration_us, report.time_to_first_token_us) == (1_500_000, 300_000)
    assert (report.app, report.end_user, report.api_key_id) == ("Shop", "customer-3", "prod")
    assert second.status is Status.CANCELED


def test_openrouter_daily_rows_have_a_number_of_requests(tmp_path: Path) -> None:
    row = {
        "date": "2026-11-19 00:00:00",
        "model": "openai/gpt-4o",
        "model_permaslug": "openai/gpt-4o",
        "endpoint_id": "e",
        "provider_name": "Azure",
        "usage": 0.015,
        "byok_usage_inference": 0,
        "requests": 4,
        "prompt_tokens": 50,
        "completion_tokens": 125,
        "reasoning_tokens": 25,
    }

    found = reports_of(write_json(tmp_path / "activity.json", {"data": [row]}))

    assert len(found) == 4
    assert sum(report.reported_cost_pusd or 0 for report in found) == 15_000_000_000
    assert sum(report.usage.total_tokens for report in found if report.usage) == 175


def test_helicone_requests(tmp_path: Path) -> None:
    row = {
        "request_id": "h-1",
        "request_created_at": NINE,
        "response_status": 200,
        "request_model": "gpt-4o",
        "provider": "OPENAI",
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "prompt_cache_read_tokens": 40,
        "delay_ms": 1234,
        "costUSD": 0.0004,
        "request_user_id": "customer-3",
        "request_properties": {"app": "shop", "project": "Checkout"},
    }
    failed = {**row, "request_id": "h-2", "response_status": 429, "prompt_tokens": None}
    path = tmp_path / "export.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in (row, failed)))

    report, second = reports_of(path)

    assert (report.mapping, report.usage) == ("openai/gpt-4o", TokenUsage(100, 10, 40))
    assert (report.app, report.project_id, report.end_user) == ("shop", "Checkout", "customer-3")
    assert (report.duration_us, report.http_status) == (1_234_000, 200)
    assert second.status is Status.UPSTREAM_ERROR


def test_only_langfuse_generations_are_imported(tmp_path: Path) -> None:
    generation = {
        "id": "o-1",
        "type": "GENERATION",
        "level": "DEFAULT",
        "startTime": NINE,
        "endTime": "2026-11-19T09:00:01Z",
        "providedModelName": "claude-sonnet-4-5",
        "usageDetails": {"input": 60, "input_cached_tokens": 40, "output": 10, "total": 110},
        "costDetails": {"total": 0.001},
        "userId": "customer-3",
        "traceName": "shop",
    }
    around = {**generation, "id": "o-2", "type": "SPAN"}
    failed = {**generation, "id": "o-3", "level": "ERROR", "usageDetails": {}}

    report, second = reports_of(
        write_json(tmp_path / "observations.json", [generation, around, failed])
    )

    assert (report.mapping, report.usage) == (
        "anthropic/claude-sonnet-4-5",
        TokenUsage(100, 10, 40),
    )
    assert (report.duration_us, report.reported_cost_pusd) == (1_000_000, 1_000_000_000)
    assert (report.app, report.end_user) == ("shop", "customer-3")
    assert (second.status, second.usage) == (Status.UPSTREAM_ERROR, TokenUsage())


BATCH_LINE = {
    "id": "batch_req_1",
    "custom_id": "one",
    "response": {
        "status_code": 200,
        "body": {
            "id": "chatcmpl-9",
            "object": "chat.completion",
            "created": NINE_US // 10**6,
            "model": "gpt-5.4-2026-03-05",
            "usage": {
                "prompt_tokens": 1000,
                "completion_tokens": 90,
                "prompt_tokens_details": {"cached_tokens": 300, "odd_tokens": 7},
            },
        },
    },
    "error": None,
}


def test_openai_batch_output(tmp_path: Path) -> None:
    failed = {**BATCH_LINE, "id": "batch_req_2", "response": {"status_code": 400, "body": {}}}
    path = tmp_path / "output.jsonl"
    path.write_text("\n".join(map(json.dumps, (BATCH_LINE, failed))))

    (report,) = reports_of(path)

    assert (report.event_id, report.response_id) == ("batch_req_1", "chatcmpl-9")
    assert (report.mapping, report.usage) == (
        "openai/gpt-5.4-2026-03-05",
        TokenUsage(1000, 90, 300),
    )
    assert report.price_context == {"processing": "batch"}
    assert report.unread == ("prompt_tokens_details.odd_tokens",)


def test_anthropic_batch_results_need_a_time(tmp_path: Path) -> None:
    usage = {
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_read_input_tokens": 90,
        "cache_creation": {"ephemeral_1h_input_tokens": 20, "ephemeral_5m_input_tokens": 0},
        "cache_creation_input_tokens": 20,
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "batch",
    }
    message = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-5", "usage": usage}
    lines = [
        {"custom_id": "a", "result": {"type": "succeeded", "message": message}},
        {"custom_id": "b", "result": {"type": "expired"}},
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))

    (report,) = reports_of(path, time_us=NINE_US)
    first, _ = read_import(FileImport(path=path, mapping=mapping_for(path, None)), NOW)

    assert (report.event_id, report.event_time_us) == ("msg_1", NINE_US)
    assert report.usage == TokenUsage(120, 5, 90, 20, 20)
    assert (report.meters, report.price_context) == ({"web_searches": 2}, {"processing": "batch"})
    assert "or use --time" in first.fault


def test_unknown_count_is_named(tmp_path: Path) -> None:
    result = {
        "uncached_input_tokens": 10,
        "output_tokens": 1,
        "model": "claude-opus-4-8",
        "server_tool_use": {"web_search_requests": 1, "dream_requests": 3, "other_requests": 0},
        "hologram_tokens": "12",
    }
    bucket = {"starting_at": NINE, "ending_at": NINE, "results": [result]}

    (report,) = reports_of(write_json(tmp_path / "usage.json", {"data": [bucket]}))

    assert report.unread == ("server_tool_use.dream_requests", "hologram_tokens")
    assert report.meters == {"web_searches": 1}


def test_usage_without_a_number_of_requests_is_kept(tmp_path: Path) -> None:
    row = {"num_model_requests": 0, "input_tokens": 500, "output_tokens": 50, "model": "gpt-5.5"}
    speech = {"num_model_requests": 2, "characters": 1001, "model": "tts-1"}
    heard = {"num_model_requests": 3, "seconds": 600, "model": "whisper-1"}

    found = reports_of(write_json(tmp_path / "usage.json", usage_page([row, speech, heard])))

    assert [report.usage for report in found[:1]] == [TokenUsage(500, 50)]
    assert [report.meters for report in found[1:3]] == [
        {"input_characters": 501},
        {"input_characters": 500},
    ]
    assert sum(report.meters["input_audio_milliseconds"] for report in found[3:]) == 600_000


def test_meters_of_a_split_row_add_up(tmp_path: Path) -> None:
    row = {
        "num_model_requests": 7,
        "input_tokens": 1017,
        "input_cached_tokens": 10,
        "input_audio_tokens": 995,
        "input_image_tokens": 5,
        "output_tokens": 592,
        "output_audio_tokens": 482,
        "model": "gpt-audio",
    }

    found = reports_of(write_json(tmp_path / "usage.json", usage_page([row])))

    for name, total in (("input_audio_tokens", 995), ("output_audio_tokens", 482)):
        assert sum(report.meters[name] for report in found) == total
    for report in found:
        assert report.usage is not None
        assert not settle_meters(report.usage, report.meters)[1]


def test_amount_in_another_currency_needs_a_rate(tmp_path: Path) -> None:
    result = {
        "amount": {"value": 2, "currency": "eur"},
        "line_item": "gpt-5.5, input",
        "project_id": "p",
    }
    path = write_json(tmp_path / "costs.json", usage_page([result]))

    (row,) = read_import(FileImport(path=path, mapping=mapping_for(path, None)), NOW)
    (report,) = reports_of(path, rates={"EUR": Decimal("1.1")})

    assert "The amount is in EUR. Set its rate in USD, such as `--rate EUR=" in row.fault
    assert report.reported_cost_pusd == 2_200_000_000_000


def test_langfuse_details_with_repeated_and_missing_counts(tmp_path: Path) -> None:
    def observed(**details: int) -> UsageReport:
        row = {
            "id": "o",
            "type": "GENERATION",
            "level": "DEFAULT",
            "startTime": NINE,
            "providedModelName": "gemini-2.5-pro",
            "usageDetails": details,
        }
        (report,) = reports_of(write_json(tmp_path / "o.json", [row]))
        return report

    repeated = observed(
        input=10, output=50, input_cache_creation=951, input_ephemeral_5m_input_tokens=951
    )
    thoughts = observed(input=100, output=50, total=650)
    pictures = observed(input=3, output=4, images=2, input_audio_tokens=9)

    assert repeated.usage == TokenUsage(961, 50, 0, 951)
    assert thoughts.usage == TokenUsage(100, 550, 0, 0, 0, 500)
    assert (pictures.unread, pictures.meters) == (("images",), {"input_audio_tokens": 9})


def transcript(path: Path, *lines: tuple[str, int, str]) -> FileImport:
    """A transcript whose lines have an id, a count and a time."""
    mapping = parse_mapping(
        b"[fields]\ntime = 't'\nevent_id = 'id'\nmodel = 'm'\noutput_tokens = 'o'\n"
        b"input_tokens = 'i'\n",
        "m.toml",
    )
    rows = [{"id": i, "o": o, "t": t, "m": "openai/gpt-4o", "i": 3} for i, o, t in lines]
    return FileImport(path=write_csv(path, *rows), mapping=mapping)


def test_last_of_growing_lines_counts_at_the_time_of_the_first(tmp_path: Path) -> None:
    later = "2026-11-19T09:00:05Z"
    job = transcript(
        tmp_path / "t.csv", ("a", 9, NINE), ("b", 1, NINE), ("a", 9, later), ("a", 159, later)
    )

    rows = list(read_import(job, NOW))

    assert [len(row.reports) for row in rows] == [0, 1, 0, 1]
    assert [row.is_superseded for row in rows] == [True, False, True, False]
    (report,) = rows[3].reports
    assert (report.usage, report.event_time_us) == (TokenUsage(3, 159), NINE_US)


def test_contradictory_lines_are_unchanged(tmp_path: Path) -> None:
    job = transcript(tmp_path / "t.csv", ("a", 9, NINE), ("a", 5, NINE), ("a", 9, NINE))

    assert [len(row.reports) for row in read_import(job, NOW)] == [1, 1, 1]


def test_every_bundled_format_is_valid_and_detected() -> None:
    for name in format_names():
        mapping = find_mapping(name)
        assert (mapping.name, bool(mapping.title), bool(mapping.detect)) == (name, True, True)


# Custom mappings

OWN = b"""
name = "acme"
[fields]
time = "when"
model = "model"
input_tokens = "in"
output_tokens = "out"
user = ["mail", "login"]
groups = "teams"
"""
ROW = {"when": NINE, "model": "openai/gpt-4o", "in": 10, "out": 2, "mail": "", "login": "ada"}


def own(rows: Iterable[dict[str, Any]], path: Path, **job: Any) -> list[UsageReport]:
    return reports_of(write_csv(path, *rows), mapping=parse_mapping(OWN, "acme.toml"), **job)


def test_first_non_empty_column_is_used(tmp_path: Path) -> None:
    (report,) = own([{**ROW, "teams": "Search, Growth"}], tmp_path / "f.csv")

    assert (report.user_id, report.groups) == ("ada", ("Search", "Growth"))


def test_rows_without_an_id_are_identified_by_content(tmp_path: Path) -> None:
    other = {**ROW, "in": 11}
    before = own([ROW, ROW, other], tmp_path / "before.csv")
    grown = own([{**ROW, "in": 99}, ROW, other, ROW], tmp_path / "grown.csv")

    known = [report.event_id for report in before]
    assert len(set(known)) == 3
    assert {report.event_id for report in grown} >= set(known)


def test_times_without_an_offset_are_in_the_given_zone(tmp_path: Path) -> None:
    (report,) = own(
        [{**ROW, "when": "2026-11-19 09:00:00"}],
        tmp_path / "f.csv",
        zone=ZoneInfo("Asia/Kathmandu"),
    )

    assert report.event_time_us == NINE_US - (5 * 60 + 45) * 60 * 1_000_000


def test_shifting_the_first_day_changes_ids(tmp_path: Path) -> None:
    rows = [{**ROW, "when": "2023-11-17T01:00:00Z"}, {**ROW, "when": "2023-11-16T23:00:00Z"}]
    found = own(rows, tmp_path / "f.csv", shift_to=date(2026, 11, 18))
    again = own(rows, tmp_path / "f.csv", shift_to=date(2026, 11, 17))

    assert [report.event_time_us for report in found] == [
        to_us(datetime(2026, 11, 19, 1, tzinfo=UTC)),
        to_us(datetime(2026, 11, 18, 23, tzinfo=UTC)),
    ]
    assert not {r.event_id for r in found} & {r.event_id for r in again}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"when": ""}, "Column when (time) must be a time"),
        ({"when": "1999-01-01"}, "before 2020"),
        ({"when": "2027-01-01"}, "in the future"),
        ({"in": "many"}, "Column in (input_tokens) must be a whole number, not 'many'."),
        ({"out": "-1"}, "Column out (output_tokens) must be a token count"),
        ({"model": ""}, "The row has no model. Name one with `--model"),
    ],
)
def test_invalid_row_is_reported_with_its_column(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    path = write_csv(tmp_path / "f.csv", ROW, {**ROW, **changes})
    job = FileImport(path=path, mapping=parse_mapping(OWN, "acme.toml"))

    good, wrong = read_import(job, NOW)

    assert (good.fault, len(good.reports)) == ("", 1)
    assert (wrong.number, wrong.reports) == (3, ())
    assert reason in wrong.fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[fields]\nmodel = 1", "Expected"),
        (b"[fields]\nmodel = 'm'", "must name the column of the time"),
        (b"[fields]\ntime = 't'\ncolour = 'c'", "has the unknown field 'colour'"),
        (b"fields = [", "m.toml"),
        (b"\xff", "m.toml"),
    ],
)
def test_invalid_mapping_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        parse_mapping(text, "m.toml")


def test_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="matches no known format; its columns are a, b"):
        mapping_for(write_csv(tmp_path / "f.csv", {"a": 1, "b": 2}), None)


COUNTS = st.integers(0, 10**6)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.integers(1, 50), st.integers(0, 10**6))
def test_split_row_adds_up_without_contradictions(
    plain: int, read: int, short: int, lasting: int, said: int, reasoning: int, n: int, cost: int
) -> None:
    mapping = FileMapping(
        fields={
            "time": "t",
            "input_tokens": "i",
            "output_tokens": "o",
            "cache_read_input_tokens": "r",
            "cache_write_5m_input_tokens": "s",
            "cache_write_1h_input_tokens": "l",
            "reasoning_output_tokens": "g",
            "requests": "n",
            "cost": "c",
        }
    )
    whole = plain + read + short + lasting
    row = {"t": NINE, "i": whole, "o": said + reasoning, "r": read, "s": short, "l": lasting}
    row |= {"g": reasoning, "n": n, "c": f"{cost}e-12"}

    found = ReportReader(mapping, Assumptions(model="openai/gpt-4o")).reports(row)

    usages = [report.usage for report in found if report.usage]
    assert [sum(counts) for counts in zip(*usages, strict=True)] == [
        whole,
        said + reasoning,
        read,
        short + lasting,
        lasting,
        reasoning,
    ]
    assert sum(report.reported_cost_pusd or 0 for report in found) == cost
    assert all(settle_tokens(usage) == (usage, False) for usage in usages)
    assert len({report.event_id for report in found}) == n


# Sending


class Kept:
    """Rejected rows in a list."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, str]] = []

    def write(self, row: ReadRow, fault: str) -> None:
        """Keep a row."""
        self.rows.append((row.number, fault))


def test_interrupted_import_is_resumed(tmp_path: Path) -> None:
    rows = [{**ROW, "in": number} for number in range(5_000)]
    job = FileImport(
        path=write_csv(tmp_path / "f.csv", *rows), mapping=parse_mapping(OWN, "acme.toml")
    )
    sent: list[str] = []
    calls = 0

    def record(reports: Sequence[UsageReport]) -> list[Outcome]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise ConnectionError("gone")
        sent.extend(report.event_id for report in reports)
        return [Outcome.ACCEPTED] * len(reports)

    saved: list[ImportState] = []

    def save(state: ImportState) -> None:
        saved.append(ImportState(rows=state.rows, accepted=state.accepted))

    first = FileImporter(record, Kept(), ImportState(), save)
    with pytest.raises(ConnectionError):
        list(first.run(read_import(job, NOW)))
    assert (saved[-1].rows, saved[-1].accepted) == (2_000, 2_000)
    second = FileImporter(record, Kept(), saved[-1], save)
    list(second.run(read_import(job, NOW)))

    assert (second.state.accepted, len(set(sent))) == (5_000, 5_000)


def test_import_is_resumed_within_a_line_of_many_rows(tmp_path: Path) -> None:
    result = {"num_model_requests": 1, "input_tokens": 1, "model": "gpt-4o", "output_tokens": 1}
    pages = [usage_page([{**result, "project_id": f"p{n}-{m}"} for n in range(900)]) for m in "abc"]
    path = tmp_path / "pages.jsonl"
    path.write_text("\n".join(map(json.dumps, pages)))
    job = FileImport(path=path, mapping=find_mapping("openai-usage"))
    sent: list[str] = []
    saved: list[ImportState] = []

    def record(reports: Sequence[UsageReport]) -> list[Outcome]:
        calls.append(len(reports))
        if len(calls) == 2:
            raise ConnectionError("gone")
        sent.extend(report.event_id for report in reports)
        return [Outcome.ACCEPTED] * len(reports)

    calls: list[int] = []

    def save(state: ImportState) -> None:
        saved.append(ImportState(rows=state.rows, accepted=state.accepted))

    with pytest.raises(ConnectionError):
        list(FileImporter(record, Kept(), ImportState(), save).run(read_import(job, NOW)))
    assert [state.rows for state in saved] == [1_000]
    again = FileImporter(record, Kept(), saved[-1], save)
    list(again.run(read_import(job, NOW)))

    assert len(set(sent)) == again.state.accepted == 2_700


def test_row_that_cannot_be_recorded_is_rejected_individually(tmp_path: Path) -> None:
    rows = [{**ROW, "in": number} for number in range(10)]
    job = FileImport(
        path=write_csv(tmp_path / "f.csv", *rows), mapping=parse_mapping(OWN, "acme.toml")
    )

    def record(reports: Sequence[UsageReport]) -> list[Outcome]:
        for at, report in enumerate(reports):
            if report.usage and report.usage.input_tokens in {3, 7}:
                raise Invalid("too dear", field=f"[{at}]")
        return [Outcome.ACCEPTED] * len(reports)

    kept = Kept()
    importer = FileImporter(record, kept, ImportState(), lambda _: None)
    list(importer.run(read_import(job, NOW)))

    assert kept.rows == [(5, "too dear"), (9, "too dear")]
    assert (importer.state.accepted, importer.state.rejected) == (8, 2)
