"""A real LiteLLM proxy in front of a scripted upstream, its logger pointed at a real server."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from tests.program import kill_group, launch, run, serving
from tests.upstream import running_upstream

PROGRAM = Path("bench/.peers/litellm/bin/litellm").absolute()
KEY = "sk-a-master-key-of-the-test"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def proxy(folder: Path, upstream: str, endpoint: str, token: str) -> Iterator[str]:
    """LiteLLM with the settings in the guide; returns its URL."""
    configuration, port = folder / "config.yaml", free_port()
    configuration.write_text(
        f"""
model_list:
  - model_name: gpt-4o
    litellm_params: {{model: openai/gpt-4o, api_base: {upstream}, api_key: sk-x}}
general_settings:
  master_key: {KEY}
litellm_settings:
  num_retries: 0
  callbacks: ["outlay"]
  turn_off_message_logging: true
callback_settings:
  outlay:
    callback_type: generic_api
    endpoint: {endpoint}/v1/ingest/litellm
    headers:
      Authorization: Bearer {token}
    event_types: ["llm_api_success", "llm_api_failure"]
    log_format: json_array
    max_retries: 5
    retry_delay: 1
    batch_size: 100
    flush_interval: 1
"""
    )
    with (folder / "litellm.log").open("w") as log:
        process = launch(
            [str(PROGRAM), "--config", str(configuration), "--port", str(port)],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{url}/health/liveliness", timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.5)
        yield url
    finally:
        kill_group(process)


def logged(url: str, token: str) -> list[dict[str, Any]]:
    answer = httpx.get(
        f"{url}/api/v1/requests?preset=24h&limit=500", headers={"Authorization": f"Bearer {token}"}
    )
    found: list[dict[str, Any]] = answer.json()["requests"]
    return found


@pytest.mark.long
def test_every_call_through_litellm_is_recorded_with_tokens(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    token = run(
        "owner", "me@example.test", "--data", data, env_password="a long enough password"
    ).stdout.strip()
    here = f"http://127.0.0.1:{port}"
    with (
        serving(data, port),
        running_upstream() as upstream,
        proxy(tmp_path, upstream.url, here, token) as url,
    ):
        client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
        for number in range(30):
            messages: Any = [{"role": "user", "content": f"hello {number}"}]
            stream = number % 3 == 0
            answer: Any = client.chat.completions.create(
                model="gpt-4o",
                messages=messages,
                stream=stream,
                user=f"customer-{number % 4}",
                extra_body={"metadata": {"tags": ["app:shop"]}},
            )
            if stream:
                list(answer)
        with pytest.raises(openai.APIError):
            client.chat.completions.create(
                model="gpt-4o", messages=messages, extra_body={"script": {"status": 429}}
            )
        deadline = time.monotonic() + 60
        while len(logged(here, token)) < 31 and time.monotonic() < deadline:
            time.sleep(0.5)
        found = logged(here, token)
        calls = [one for one in upstream.served if one.path.endswith("/chat/completions")]

    good = [one for one in found if one["status"] == "ok"]
    assert (len(found), len(good)) == (31, 30)
    assert {one["mapping"] for one in good} == {"openai/gpt-4o"}
    counted = [one.usage for one in calls if one.usage]
    assert sum(one["inputTokens"] for one in good) == sum(u["prompt_tokens"] for u in counted)
    assert sum(one["outputTokens"] for one in good) == sum(u["completion_tokens"] for u in counted)
    assert {one["endUser"] for one in good} == {f"customer-{n}" for n in range(4)}
    assert {one["app"] for one in good} == {"shop"}
    assert [one["status"] for one in found if one not in good] == ["upstream_error"]
