"""The command line: imports with correct totals, and errors that say what to fix."""

import json
import re
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import httpx
import pytest
from tests.program import (
    OUTLAY,
    command,
    kill_group,
    run,
    serving,
    start,
    wait_for_server,
    write_trace,
)
from tests.upstream import running_upstream

ROWS = [
    (f"2023-11-16 18:{15 + number // 60:02d}:{number % 60:02d}.1234567", 100 + number, number % 9)
    for number in range(1_500)
]
IMPORT = ("--format", "azure-llm-trace", "--model", "openai/gpt-4o", "--project", "Production")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write_trace(tmp_path / "trace.csv", ROWS)


def ledger_total(data: Path) -> tuple[int, int, int]:
    """Requests, tokens and pico-USD in the cube after a verification."""
    verified = command("verify", "--data", data)
    assert verified.returncode == 0, verified
    with duckdb.connect(str(data / "cube.duckdb"), read_only=True) as cube:
        found = cube.execute(
            "SELECT sum(requests), sum(input_tokens + output_tokens), sum(cost_pusd) "
            "FROM (SELECT * FROM usage_rollup UNION ALL SELECT * FROM usage_delta)"
        ).fetchone()
    assert found is not None
    return int(found[0]), int(found[1]), int(found[2])


EXPECTED = (
    1_500,
    sum(row[1] + row[2] for row in ROWS),
    sum(row[1] * 2_500_000 + row[2] * 10_000_000 for row in ROWS),
)


def test_import_adds_up_and_repeating_it_adds_nothing(data: Path, trace: Path) -> None:
    first = command("import", trace, *IMPORT, "--shift-to", "2026-11-01", "--data", data)
    again = command("import", trace, *IMPORT, "--shift-to", "2026-11-01", "--data", data)

    assert first.returncode == 0, first.stderr
    assert "1,500 requests imported into Production, 0 already recorded" in first.stdout
    assert again.returncode == 0
    assert "0 requests imported into Production, 1,500 already recorded" in again.stdout
    assert ledger_total(data) == EXPECTED


def test_shifting_moves_the_first_day_and_keeps_the_time_of_day(data: Path, trace: Path) -> None:
    found = command("import", trace, *IMPORT, "--shift-to", "2026-11-01", "--data", data)

    assert "2026-11-01 18:15 to 2026-11-01 18:39 UTC" in found.stdout


def test_same_file_in_another_project_is_a_conflict(data: Path, trace: Path) -> None:
    command("import", trace, *IMPORT, "--data", data)

    other = command("import", trace, *IMPORT[:-1], "Other", "--data", data)

    assert other.returncode == 1
    assert "1,500 requests were already recorded" in other.stderr
    assert ledger_total(data)[0] == 1_500


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2023-11-16 18:15:46.1,1,-2", "GeneratedTokens (output_tokens) must be a token count"),
        (
            "2023-11-16 18:15:46.1,1.5,2",
            "Column ContextTokens (input_tokens) must be a whole number",
        ),
        ("2023-11-16 18:15:46.1,nan,2", "Column ContextTokens (input_tokens)"),
        (
            "2023-11-16 18:15:46.1,9999999999,2",
            "'input_tokens' must be between 0 and 1,000,000,000",
        ),
        ("2023-11-16 18:15:46.1,1", "The row has 2 columns, not 3."),
        ("2023-13-16 18:15:46.1,1,2", "Column TIMESTAMP (time) must be a time such as"),
        ("yesterday,1,2", "Column TIMESTAMP (time)"),
    ],
)
def test_malformed_line_is_rejected_with_a_reason_and_others_are_imported(
    data: Path, tmp_path: Path, line: str, message: str
) -> None:
    path = write_trace(tmp_path / "bad.csv", ROWS[:50])
    path.write_text(path.read_text() + "\n" + line + "\n2023-11-16 18:30:00,7,7")

    found = command("import", path, *IMPORT, "--data", data)

    assert found.returncode == 1
    assert "51 requests imported" in found.stdout
    (rejected,) = (tmp_path / "bad.csv.rejected.jsonl").read_text().splitlines()
    kept = json.loads(rejected)
    assert kept["row"] == 52
    assert message in kept["reason"]
    assert line.split(",")[1] in str(kept["content"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "The file is empty."),
        ("a,b\n", "has no rows."),
        ("a,b\n1,2\n", "none of the first 1 rows is valid. Row 2: Column TIMESTAMP (time)"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "no rows"),
    ],
)
def test_files_of_unknown_formats_are_refused(
    data: Path, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "file.csv"
    path.write_text(content)

    found = command("import", path, *IMPORT, "--data", data)

    assert (found.returncode, message in found.stderr) == (2, True), found.stderr
    assert not data.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--shift-to", "2999-01-01"),
        ("--shift-to", "soon"),
        ("--model", "gpt-4o"),
        ("--format", "fortran"),
    ],
)
def test_invalid_options_exit_with_2_and_write_nothing(
    data: Path, trace: Path, arguments: tuple[str, str]
) -> None:
    found = command("import", trace, *IMPORT, *arguments, "--data", data)

    assert found.returncode == 2
    assert found.stderr
    assert not data.exists()


def test_missing_file_is_a_one_line_error(data: Path) -> None:
    found = run("import", "/nowhere/trace.csv", *IMPORT, "--data", data)

    assert found.returncode == 2
    assert found.stderr == "Error: /nowhere/trace.csv cannot be read: No such file or directory.\n"


def test_verify_shows_a_readable_difference_and_rebuild_repairs_it(data: Path, trace: Path) -> None:
    command("import", trace, *IMPORT, "--data", data)
    ledger_total(data)
    with duckdb.connect(str(data / "cube.duckdb")) as cube:
        changed = [
            cube.execute(
                f"UPDATE {table} SET cost_pusd = cost_pusd + 1 "
                f"WHERE rowid = (SELECT min(rowid) FROM {table})"
            ).fetchone()
            for table in ("usage_delta", "usage_rollup")
        ]
    assert (1,) in changed

    differing = command("verify", "--data", data)
    rebuilt = command("rebuild", "--data", data)

    assert differing.returncode == 1
    assert "cost_pusd" in differing.stdout
    assert "+1" in differing.stdout
    assert rebuilt.returncode == 0
    assert ledger_total(data) == EXPECTED


def test_commands_work_through_a_running_server(data: Path, trace: Path) -> None:
    password = "a long enough password"
    created = command("owner", "me@example.test", "--data", data, env_password=password)
    token = created.stdout.strip()
    with serving(data) as process:
        imported = command("import", trace, *IMPORT, "--shift-to", "2026-11-01", "--data", data)
        verified = command("verify", "--data", data)
        rebuilt = command("rebuild", "--data", data)
        second = command("serve", "--data", data, "--port", "0")
        info = wait_for_server(data, process)
        answer = httpx.get(
            f"{info['url']}/api/v1/analytics/summary?from=2026-11-01&to=2026-11-01",
            headers={"Authorization": f"Bearer {token}"},
        )

    assert imported.returncode == 0, imported.stderr
    assert (verified.returncode, rebuilt.returncode) == (0, 0)
    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert "in use by another Outlay process" in second.stderr
    assert answer.json()["summary"]["requestCount"] == 1_500
    assert process.returncode == 0
    assert not (data / "server.json").exists()


def test_requests_are_repriced_offline_and_through_the_server(data: Path, trace: Path) -> None:
    command("import", trace, *IMPORT, "--shift-to", "2026-11-01", "--data", data)
    added = command("price", "add", "gpt-4o", "--input", "1", "--output", "2", "--data", data)
    assert added.returncode == 0, added.stderr
    days = ("--from", "2026-11-01", "--to", "2026-11-01", "--data", data)

    preview = command("reprice", *days)
    assert preview.returncode == 0, preview.stderr
    assert "1,500 of 1,500 requests would have a different cost:" in preview.stdout
    assert "another price applies" in preview.stdout
    assert ledger_total(data) == EXPECTED
    for wrong, message in (
        ((*days, "--apply"), "`--reason` is required"),
        (("--to", "2026-11-01", "--data", data), "`--from` must be a date"),
        ((*days, "--filter", "gpt-4o"), "not 'gpt-4o'"),
        (("--revert", "rpr_none", "--reason", "x", "--data", data), "There is no such run."),
    ):
        refused = command("reprice", *wrong)
        assert refused.returncode == 2, refused
        assert message in refused.stderr

    applied = command("reprice", *days, "--apply", "--reason", "agreed")
    assert "1,500 requests amended" in applied.stdout
    cost = sum(row[1] * 1_000_000 + row[2] * 2_000_000 for row in ROWS)
    assert ledger_total(data) == (*EXPECTED[:2], cost)
    run_id = re.search(r"rpr_\w+", applied.stdout)
    assert run_id
    with serving(data):
        back = command("reprice", "--revert", run_id[0], "--reason", "not yet", "--data", data)
    assert "1,500 requests amended" in back.stdout, back
    assert ledger_total(data) == EXPECTED


def test_acknowledged_event_appears_without_polling(data: Path) -> None:
    created = command("owner", "me@example.test", "--data", data, env_password="a long password!")
    headers = {"Authorization": f"Bearer {created.stdout.strip()}"}
    with serving(data) as process:
        url = wait_for_server(data, process)["url"]
        event = {
            "eventId": "one",
            "eventTime": datetime.now(UTC).isoformat(),
            "model": "openai/gpt-4o",
            "usage": {"inputTokens": 1, "outputTokens": 1},
        }
        acknowledged = httpx.post(f"{url}/v1/usage/events", json=[event], headers=headers)
        deadline = datetime.now(UTC) + timedelta(seconds=20)
        found = 0
        while not found and datetime.now(UTC) < deadline:
            answer = httpx.get(f"{url}/api/v1/analytics/summary?preset=24h", headers=headers)
            found = answer.json()["summary"]["requestCount"]

    assert acknowledged.json()["accepted"] == 1
    assert found == 1


def test_password_on_the_command_line_causes_a_warning(data: Path) -> None:
    command = ("owner", "me@example.test", "--data", data, "--password")
    piped = run(*command, "-", typed="a piped long password\n")
    shown = run(*command, "a long password that shows")

    assert piped.returncode == shown.returncode == 0
    assert "command line" not in piped.stderr
    assert "on standard input with --password -, or in OUTLAY_OWNER_PASSWORD" in shown.stderr
    assert "that shows" not in shown.stderr
    with serving(data) as process:
        url = wait_for_server(data, process)["url"]
        form = {"email": "me@example.test", "password": "a long password that shows"}
        assert httpx.post(f"{url}/login", data=form).status_code == 303
    assert run("owner", "me@example.test", "--data", data, "--password", "-", typed="short").stderr


def test_first_owner_is_set_up_with_a_one_time_link(data: Path) -> None:
    form = {
        "organization": "Acme",
        "timezone": "Asia/Kathmandu",
        "name": "Dana",
        "email": "dana@example.test",
        "password": "several words are best",
    }
    with serving(data) as process:
        assert process.stdout is not None
        url = wait_for_server(data, process)["url"]
        link = process.stdout.readline().strip()
        assert link.startswith(f"{url}/setup/")
        with httpx.Client(headers={"Accept": "text/html"}) as http:
            assert "server printed" in http.get(f"{url}/login").text
            assert http.get(f"{url}/setup/guessed").status_code == 404
            short = http.post(link, data={**form, "password": "short"})
            assert (short.status_code, "15" in short.text) == (400, True)
            assert http.post(link, data=form).status_code == 303
            found = http.get(f"{url}/api/v1/me", headers={"Accept": "application/json"}).json()
        again = httpx.post(link, data={**form, "organization": "Other"})

    assert (found["member"]["role"], found["organization"]["timezone"]) == (
        "owner",
        "Asia/Kathmandu",
    )
    assert again.status_code == 404
    entries = run("audit", "list", "--data", data).stdout
    assert "organization.create" in entries
    assert run("audit", "verify", "--data", data).returncode == 0


def test_port_in_use_is_a_one_line_error(data: Path) -> None:
    run("owner", "me@example.test", "--data", data, env_password="a long password!")
    with serving(data) as process:
        port = wait_for_server(data, process)["url"].rpartition(":")[2]
        other = data.with_name("other")
        run("owner", "me@example.test", "--data", other, env_password="a long password!")
        found = run("serve", "--data", other, "--port", port)

    assert found.returncode == 2
    assert "--port" in found.stderr


def test_doctor_passes_for_a_healthy_installation(data: Path, trace: Path) -> None:
    run("import", trace, *IMPORT, "--data", data)

    found = command("doctor", "--data", data)

    assert found.returncode == 0, found.stdout
    assert "WAL-reset" in found.stdout


def test_doctor_names_every_problem(data: Path) -> None:
    data.mkdir()
    (data / "prices.toml").write_text("[[price]]\nmodel = 'x'\n")

    found = command("doctor", "--data", data)

    assert found.returncode == 1
    assert "price 1, input" in found.stdout


def test_unwritable_directory_is_refused(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")

    found = run("verify", "--data", blocker / "data")

    assert found.returncode == 3
    assert "is not writable" in found.stderr


def try_the_demo(url: str, key: str) -> int:
    """Call the demo's provider as a visitor would: whole, streamed, and in Anthropic's format."""
    headers = {"Authorization": f"Bearer {key}"}
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello"}]}
    chat = f"{url}/v1/chat/completions"
    answers = [
        httpx.post(chat, json=body, headers=headers),
        httpx.post(chat, json={**body, "stream": True}, headers=headers),
        httpx.post(f"{url}/v1/messages", json={**body, "max_tokens": 9}, headers=headers),
    ]
    assert answers[0].json()["usage"]["total_tokens"] > 0
    assert answers[1].text.endswith("data: [DONE]\n\n")
    assert '"usage":{' not in answers[1].text
    assert answers[2].json()["content"][0]["text"]
    return sum(answer.status_code == 200 for answer in answers)


def test_commands_configure_a_running_server(tmp_path: Path) -> None:
    command("owner", "me@example.test", "--data", tmp_path, env_password="a long password!")
    with serving(tmp_path) as server:
        url = wait_for_server(tmp_path, server)["url"]
        made = command("key", "create", "--project", "P", "--description", "d", "--data", tmp_path)
        key = made.stdout.strip()
        chat = f"{url}/v1/chat/completions"
        body = {"model": "fast", "messages": []}
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.post(chat, json=body, headers=headers).status_code == 404
        with running_upstream() as upstream:
            for words in (
                ("upstream", "add", "openai", "--base-url", upstream.url, "--secret", "sk-1"),
                ("model", "map", "fast", "openai/gpt-5.4-mini"),
            ):
                assert command(*words, "--data", tmp_path).returncode == 0
            time.sleep(0.6)
            assert httpx.post(chat, json=body, headers=headers).status_code == 200
            assert upstream.last.json["model"] == "gpt-5.4-mini"
            listed = command("key", "list", "--data", tmp_path).stdout
            key_id = re.search(r"key_\w+", listed)
            assert key_id is not None
            assert f"API key {key_id[0]} of 'P'" in made.stderr
            assert re.search(r"key_\w+ +P +d ", listed)
            limited = command("limit", "set", "apiKey", key_id[0], "day", "0", "--data", tmp_path)
            assert limited.returncode == 0
            time.sleep(0.6)
            assert httpx.post(chat, json=body, headers=headers).status_code == 429
            assert "day" in command("limit", "list", "--data", tmp_path).stdout
            revoked = command("key", "revoke", key_id[0], "--data", tmp_path)
            assert revoked.returncode == 0
            time.sleep(0.6)
            assert httpx.post(chat, json=body, headers=headers).status_code == 401
        removed = command("upstream", "remove", "openai", "--data", tmp_path)
        assert removed.returncode == 0
        again = command("upstream", "remove", "openai", "--data", tmp_path)
        assert "Available: none yet." in again.stderr
    for wrong in (
        ("limit", "set", "apiKey", "key_x", "day", "1"),
        ("limit", "set", "apiKey", "key_x", "day", "much"),
        ("model", "map", "a", "b"),
        ("upstream", "add", "nobody", "--secret", ""),
        ("key", "create", "--project", "P", "--description", "d", "--member", "x@y.z"),
    ):
        found = command(*wrong, "--data", tmp_path)
        assert found.returncode == 2, wrong
        assert found.stderr.startswith("Error: ")


def test_lost_master_key_is_detected_at_startup(tmp_path: Path) -> None:
    run("owner", "me@example.test", "--data", tmp_path, env_password="a long password!")
    added = run("upstream", "add", "openai", "--secret", "sk-1", "--data", tmp_path)
    assert added.returncode == 0, added.stderr
    key = (tmp_path / "master.key").read_text()
    (tmp_path / "master.key").unlink()
    refused = run("serve", "--data", tmp_path)
    assert refused.returncode == 2
    assert "master.key is missing" in refused.stderr
    (tmp_path / "master.key").write_text("00" * 32)
    assert "another master key" in run("serve", "--data", tmp_path).stderr
    (tmp_path / "master.key").write_text(key)
    assert run("upstream", "list", "--data", tmp_path).returncode == 0


def test_demo_announces_itself_as_one_line_of_json(tmp_path: Path) -> None:
    process = start("demo", "--port", "0", "--data", tmp_path, "--days", "3", "--json")
    try:
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        assert set(found) == {
            "url",
            "data",
            "accessToken",
            "apiKey",
            "ownerEmail",
            "ownerPassword",
        }
        assert found["data"] == str(tmp_path.resolve())
        requests_answered = try_the_demo(found["url"], found["apiKey"])
        headers = {"Authorization": f"Bearer {found['accessToken']}"}
        answer = httpx.get(f"{found['url']}/api/v1/analytics/activity", headers=headers)
        signed_in = httpx.post(
            f"{found['url']}/login",
            data={"email": found["ownerEmail"], "password": found["ownerPassword"]},
        )
    finally:
        kill_group(process, signal.SIGTERM)

    assert answer.json()["totals"]["requestCount"] > 1_000
    assert requests_answered == 3
    assert signed_in.status_code == 303
    assert command("verify", "--data", tmp_path).returncode == 0
    assert process.returncode == 0


def test_members_and_groups_are_managed_alongside_a_running_server(tmp_path: Path) -> None:
    def do(*words: str) -> str:
        found = command(*words, "--data", tmp_path)
        assert found.returncode == 0, (words, found.stderr)
        return found.stdout.strip()

    do("org", "create", "Acme Corp", "--timezone", "Europe/Berlin")
    with serving(tmp_path) as server:
        url = wait_for_server(tmp_path, server)["url"]
        link = do("member", "invite", "Ada.Canary@example.test", "--role", "owner")
        assert link.startswith(f"{url}/invitation/")
        form = {"name": "Ada Canary", "password": "several words are best"}
        assert httpx.post(link, data=form).status_code == 303
        other = do("member", "invite", "bob@example.test", "--role", "owner")
        assert httpx.post(other, data={**form, "name": "Bob"}).status_code == 303
        assert "Ada Canary" in do("member", "list")
        do("member", "update", "bob@example.test", "--role", "admin")
        assert do("member", "password-link", "bob@example.test").startswith(f"{url}/password/")
        do("project", "create", "Checkout")
        do("project", "rename", "Checkout", "Payments")
        assert "Payments" in do("project", "list")
        do("group", "create", "Engineering")
        do("group", "add", "Engineering", "bob@example.test", "--since", "2026-01-01")
        assert "bob@example.test" in do("group", "list")
        do("group", "remove-member", "Engineering", "bob@example.test")
        price = do("price", "add", "openai/gpt-5.5", "--input", "4.25")
        assert "4.25" in do("price", "list")
        agreed = ("--provider", "openai", "--percent", "85", "--percent-of", "web_searches=100")
        assert "before, USD" in do("price", "add", *agreed, "--dry-run")
        assert "before, USD" in do("price", "delete", price, "--dry-run")
        do("price", "delete", price)
        rate = do("price", "rate", "add", "EUR", "1.0842", "--effective-from", "2026-10-01")
        assert rate in do("price", "rate", "list")
        euros = ("--currency", "EUR", "--meter", "audio_milliseconds=1.5", "--output", "3")
        tier = ("--tier", "above=200000,input=8.5", "--effective-from", "2026-10-01")
        price = do("price", "add", "my-model", "--input", "4", *euros, *tier)
        listed = " ".join(do("price", "list").split())
        assert "above 200,000: input 8.5, in EUR at 1.0842 USD" in listed
        assert "4.3368" in do("price", "show", "my-model", "--at", "2026-11-01")
        do("price", "delete", price)
        do("price", "rate", "delete", rate)
        bobs = ("--description", "t", "--member", "bob@example.test", "--scope", "directory:read")
        token = do("token", "create", *bobs)
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{url}/api/v1/me", headers=headers).json()["member"]["name"] == "Bob"
        token_id = token.split("_")[1]
        assert token_id in do("token", "list")
        do("token", "revoke", token_id)
        assert httpx.get(f"{url}/api/v1/me", headers=headers).status_code == 401
        do("sso", "set", "https://id.example.test", "outlay", "--secret", "s")
        assert "/login/sso/callback" in do("sso", "show")
        do("sso", "remove", "--yes")
        do("org", "update", "--plan", "free", "--name", "Acme")
        assert "free" in do("org", "list")

        refused = command(
            "member", "remove", "Ada.Canary@example.test", "--yes", "--data", tmp_path
        )
        assert (refused.returncode, "owner" in refused.stderr) == (2, True)
        do("member", "update", "bob@example.test", "--role", "owner")
        do("member", "erase", "ada.canary@EXAMPLE.test", "--yes")
        for path in tmp_path.iterdir():
            assert b"canary" not in path.read_bytes().lower(), path
        assert "Ada" not in do("member", "list")
        assert "member.erase" in do("audit", "list")
        assert "checkpoints, signed for" in do("audit", "verify")
        do("verify")
        do("project", "delete", "Payments", "--yes")
        do("group", "delete", "Engineering", "--yes")
    do("audit", "verify")


def test_destructive_commands_ask_for_confirmation(tmp_path: Path) -> None:
    run("org", "create", "Acme", "--data", tmp_path)
    run("project", "create", "P", "--data", tmp_path)
    found = subprocess.run(
        [*OUTLAY, "project", "delete", "P", "--data", str(tmp_path)],
        input="n\n",
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode != 0
    assert "P" in run("project", "list", "--data", tmp_path).stdout


def test_discovered_entities_are_renamed_and_merged_by_command(data: Path, tmp_path: Path) -> None:
    usage = tmp_path / "usage.csv"
    usage.write_text(
        "at,model,in,out,team\n2026-11-01,openai/gpt-4o,1,1,a\n2026-11-01,openai/gpt-4o,1,1,b\n"
    )
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[fields]\ntime = "at"\nmodel = "model"\ninput_tokens = "in"\noutput_tokens = "out"\n'
        'project = "team"\n'
    )
    imported = command("import", usage, "--mapping", mapping, "--data", data)
    assert "2 requests imported" in imported.stdout, imported
    listed = command("discovered", "list", "--data", data).stdout
    first, second = re.findall(r"dsc_\w+", listed)

    assert command("discovered", "rename", first, "Growth", "--data", data).returncode == 0
    assert command("discovered", "merge", first, second, "--data", data).returncode == 0
    merged = command("discovered", "list", "--data", data).stdout
    assert command("discovered", "merge", first, first, "--data", data).returncode == 0
    apart = command("discovered", "list", "--data", data).stdout
    unknown = command("discovered", "merge", "dsc_nobody", second, "--data", data)

    assert "Growth" in merged
    assert (merged.count("itself"), apart.count("itself")) == (1, 2)
    assert unknown.returncode == 2


def test_rejected_file_must_not_be_the_input(data: Path, trace: Path) -> None:
    before = trace.read_text()

    found = command("import", trace, *IMPORT, "--rejected", trace, "--data", data)

    assert found.returncode == 2
    assert "`--rejected` must name a file" in found.stderr
    assert trace.read_text() == before
    assert not data.exists()


def test_dry_run_shows_the_result_and_stores_nothing(data: Path, trace: Path) -> None:
    found = command("import", trace, *IMPORT, "--dry-run", "--data", data)

    assert found.returncode == 0, found.stderr
    assert "1,500 rows, 1,500 requests, 0 skipped, 0 to be rejected" in found.stdout
    assert "openai/gpt-4o: 1,500" in found.stdout
    assert "Nothing was stored." in found.stdout
    assert not data.exists()


def test_lost_database_is_not_mistaken_for_a_new_installation(tmp_path: Path) -> None:
    data = tmp_path / "data"
    created = run("owner", "me@example.test", "--data", data, env_password="a long password!")
    assert created.returncode == 0, created.stderr
    (data / "outlay.sqlite3").unlink()
    before = {path.name for path in data.iterdir()}

    for words in (("verify",), ("serve", "--port", "0"), ("org", "list")):
        found = run(*words, "--data", data)
        assert found.returncode in {2, 3}, words
        assert "outlay.sqlite3 is missing" in found.stderr
        assert found.stderr.count("\n") == 1
    assert {path.name for path in data.iterdir()} - {"outlay.lock"} == before
