"""The user and program behind a request, as real clients state them."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from outlay.wire.apps import app_of_agent
from outlay.wire.call import parse_json_call
from outlay.wire.caller import read_caller
from outlay.wire.end_users import end_user_of

DEVICE = "9f1c" * 16
ACCOUNT = "11111111-2222-3333-4444-555555555555"
SESSIONS = ("aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002")


def as_json(account: str, session: str) -> str:
    return json.dumps({"device_id": DEVICE, "account_uuid": account, "session_id": session})


def as_text(account: str, session: str) -> str:
    return f"user_{DEVICE}_account_{account}_session_{session}"


def user_in(**body: Any) -> str:
    return parse_json_call(json.dumps({"model": "m", **body}).encode()).user


@pytest.mark.parametrize("form", [as_json, as_text])
@pytest.mark.parametrize(("account", "user"), [(ACCOUNT, ACCOUNT), ("", DEVICE)])
def test_claude_code_sessions_are_one_end_user(form: Any, account: str, user: str) -> None:
    for session in SESSIONS:
        assert user_in(metadata={"user_id": form(account, session)}) == user


def test_session_alone_is_not_an_end_user() -> None:
    assert end_user_of(json.dumps({"session_id": SESSIONS[0]})) == ""


@pytest.mark.parametrize(
    "claim", ["cust-9", "user_17", "user_a_account_b", '{"a": 1}', "{", "[]", "ada@example.test"]
)
def test_other_claims_are_unchanged(claim: str) -> None:
    assert user_in(user=claim) == user_in(safety_identifier=claim) == claim


def test_invalid_names_are_ignored() -> None:
    claims: list[Any] = [True, None, 7, 1.5, [], {"a": 1}]
    for claim in claims:
        assert user_in(user=claim, metadata={"user_id": claim}) == ""
    assert end_user_of("{" * 100_000) == "{" * 256


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        (
            {"x-openwebui-user-email": "ada@example.test", "x-openwebui-user-id": "u-1"},
            "ada@example.test",
        ),
        ({"x-openwebui-user-id": "u-1", "x-openwebui-user-name": "Ada"}, "u-1"),
        ({"x-openwebui-user-name": quote("Ada Łovelace", safe=" ")}, "Ada Łovelace"),
        ({"x-openwebui-user-email": "a", "x-outlay-user": "b"}, "b"),
        ({"x-openwebui-chat-id": "c-1", "x-openwebui-user-role": "admin"}, ""),
        ({"x-litellm-end-user-id": as_json(ACCOUNT, SESSIONS[0])}, ACCOUNT),
        ({"x-portkey-metadata": '{"_user": "cust-7", "team": "a"}'}, "cust-7"),
        ({"cf-aig-metadata": '{"user": "cust-6"}'}, "cust-6"),
        ({"x-portkey-metadata": "not JSON", "cf-aig-metadata": "[]"}, ""),
        # Sessions of Claude Code, Codex, opencode and others are not users.
        (
            {
                "x-claude-code-session-id": "s",
                "session_id": "s",
                "session-id": "s",
                "conversation_id": "s",
                "thread-id": "s",
                "x-session-id": "s",
                "x-opencode-session": "s",
            },
            "",
        ),
    ],
)
def test_user_headers(headers: dict[str, str], user: str) -> None:
    assert read_caller({n.encode(): v.encode() for n, v in headers.items()}).user == user


@pytest.mark.parametrize(
    ("agent", "app"),
    [
        ("claude-cli/2.1.197 (external, cli)", "Claude Code"),
        ("claude-code/2.1.197 (cli)", "Claude Code"),
        ("codex_cli_rs/0.171.0 (Debian 12.0.0; x86_64) xterm", "Codex"),
        ("codex_exec/0.171.0 (Debian 12.0.0; x86_64) unknown", "Codex"),
        ("GeminiCLI/0.61.0/gemini-2.5-pro (linux; x64)", "Gemini CLI"),
        ("GeminiCLI-vscode/0.61.0 (linux; x64)", "Gemini CLI"),
        ("GitHubCopilotChat/0.35.0", "GitHub Copilot"),
        ("copilot/1.0.4 (linux)", "GitHub Copilot"),
        ("opencode/1.18.0 ai-sdk/provider-utils/3.0.10 runtime/bun/1.2", "opencode"),
        ("Kilo-Code/4.90.0", "Kilo Code"),
        ("RooCode/3.52.1", "Roo Code"),
        ("Cline/3.40.0", "Cline"),
        ("Zed/0.190.0 (macos; aarch64)", "Zed"),
        ("Agents/Python 0.24.0", "OpenAI Agents"),
        ("Agents/JavaScript 0.3.1", "OpenAI Agents"),
        ("ai/6.0.3 ai-sdk/provider-utils/4.0.1 runtime/node.js/22", "Vercel AI SDK"),
        ("ai-sdk/openai/3.0.1 ai-sdk/provider-utils/4.0.1 runtime/node.js/22", "Vercel AI SDK"),
        ("ls/JS 5.10.1", "OpenAI JavaScript"),
        ("OpenAI/JS 6.49.0", "OpenAI JavaScript"),
        ("AsyncOpenAI/Python 3.57.0", "OpenAI Python"),
        ("Anthropic/JS 1.14.0", "Anthropic JavaScript"),
        ("AsyncAnthropic/Python 2.14.0", "Anthropic Python"),
        ("pydantic-ai/2.68.0", "pydantic-ai"),
        ("QwenCode/0.15.0 (linux; x64)", "QwenCode"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Browser"),
        ("Python/3.11 aiohttp/3.11", "Python"),
        ("", ""),
    ],
)
def test_applications_by_user_agent(agent: str, app: str) -> None:
    assert app_of_agent(agent) == app


def test_open_webui_is_recognised_by_its_headers() -> None:
    headers = {b"x-openwebui-user-id": b"u-1", b"user-agent": b"Python/3.11 aiohttp/3.11"}
    assert read_caller(headers).app == "Open WebUI"
    assert read_caller({**headers, b"x-outlay-app": b"Intranet chat"}).app == "Intranet chat"
