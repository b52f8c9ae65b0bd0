"""The compared proxies, each as a process on loopback in front of the same upstream."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.stream_emulator import BODY
from outlay.bootstrap.installation import open_installation
from outlay.domain.organization import operator_of
from outlay.settings import Settings

PEERS = Path("bench/.peers")
"""Where `tools/ensure_peers.sh` installs LiteLLM and Portkey."""


@dataclass
class Side:
    """A server to send requests to."""

    name: str
    port: int
    pids: list[int]
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/v1/chat/completions"

    def cpu_seconds(self) -> float:
        """User and system time so far, over all its processes."""
        ticks = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Resident memory at its peak, over all its processes."""
        peak = 0
        for pid in self.pids:
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak += int(line.split()[1])
        return peak / 1024


def free_port() -> int:
    """A free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], *, cwd: Path | None = None, **env: str) -> Iterator[int]:
    """A process, ended with the block."""
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
    started = subprocess.Popen(
        command, stdout=log, stderr=log, cwd=cwd, env={**os.environ, **env}, start_new_session=True
    )
    try:
        yield started.pid
    finally:
        started.terminate()
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
        log.close()


def wait_until_answers(side: Side, seconds: float = 90) -> None:
    """Wait until a request through the side returns status 200."""
    deadline = time.monotonic() + seconds
    body = json.dumps({"model": "gpt-5.5", "messages": [{"role": "user", "content": "hi"}]})
    while True:
        request = urllib.request.Request(
            f"http://127.0.0.1:{side.port}{side.path}",
            body.encode(),
            {"content-type": "application/json", **side.headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
                if answer.status == 200:
                    return
        except (OSError, urllib.error.URLError) as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{side.name} does not answer: {error}") from error
        time.sleep(0.2)


def _nginx(folder: Path, text: str) -> list[str]:
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {folder}/b;\n"
        f"proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;\n"
        f"scgi_temp_path {folder}/s;\n{text}\n}}\n"
    )
    return ["nginx", "-c", str(configuration), "-p", str(folder)]


def children(pid: int) -> list[int]:
    """A process and those it started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in listed for found in children(int(child)))]


@contextmanager
def whole_upstream(folder: Path) -> Iterator[int]:
    """The port of an nginx that answers every request with one body: the fastest possible
    upstream.
    """
    port = free_port()
    folder.mkdir()
    text = (
        f"server {{ listen 127.0.0.1:{port} reuseport; default_type application/json;\n"
        f"location / {{ return 200 '{BODY.decode()}'; }} }}"
    )
    with process(_nginx(folder, text)):
        wait_until_answers(Side("upstream", port, []))
        yield port


@contextmanager
def streaming_upstream() -> Iterator[int]:
    """The port of an upstream that streams 50 events."""
    port = free_port()
    with process([sys.executable, "-m", "bench.stream_emulator", str(port)]):
        wait_until_answers(Side("upstream", port, []))
        yield port


@contextmanager
def nginx_side(folder: Path, upstream: int) -> Iterator[Side]:
    """nginx as a reverse proxy: the limit."""
    port = free_port()
    folder.mkdir()
    text = (
        f"upstream up {{ server 127.0.0.1:{upstream}; keepalive 128; "
        "keepalive_requests 1000000; }\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://up; "
        'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } }'
    )
    with process(_nginx(folder, text)) as pid:
        side = Side("nginx", port, [])
        wait_until_answers(side)
        side.pids = children(pid)
        yield side


@contextmanager
def outlay_side(
    folder: Path, upstream: int, *, database_url: str = "", workers: int = 1
) -> Iterator[Side]:
    """Outlay, recording everything durably; with several workers on a PostgreSQL."""
    settings = Settings(data=folder, database_url=database_url)
    with open_installation(settings) as services:
        administration = services.administration
        organization = administration.organizations.create("Bench")
        operator = operator_of(organization)
        member = administration.sign_in.set_owner(
            organization, "me@example.test", "measured side by side"
        )
        project, _ = administration.projects.ensure(operator, "Bench")
        _, key = administration.keys.create(
            operator,
            project_id=project.project_id,
            member_id=member.member_id,
            description="bench",
        )
        administration.upstreams.create(
            operator,
            provider="openai",
            base_url=f"http://127.0.0.1:{upstream}/v1",
            secret="sk-not-a-secret-0000",
        )
    port = free_port()
    command = [sys.executable, "-m", "outlay", "serve", "--data", str(folder), "--port", str(port)]
    command += ["--workers", str(workers)]
    with process(command, OUTLAY_DATABASE_URL=database_url) as pid:
        side = Side("Outlay", port, [], {"authorization": f"Bearer {key}"})
        wait_until_answers(side)
        # one responds while the others may still be starting
        time.sleep(2.0 if workers > 1 else 0.0)
        side.pids = children(pid)
        yield side


@contextmanager
def litellm_side(folder: Path, upstream: int) -> Iterator[Side]:
    """LiteLLM's proxy without a database, one worker."""
    folder.mkdir()
    configuration = folder / "config.yaml"
    configuration.write_text(
        "model_list:\n  - model_name: gpt-5.5\n    litellm_params:\n"
        f"      model: openai/gpt-5.5\n      api_base: http://127.0.0.1:{upstream}/v1\n"
        "      api_key: sk-x\n"
    )
    port = free_port()
    program = str((PEERS / "litellm/bin/litellm").absolute())
    command = [program, "--config", str(configuration), "--port", str(port), "--num_workers", "1"]
    with process(
        command,
        cwd=folder,
        LITELLM_LOG="ERROR",
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true",
    ) as pid:
        side = Side("LiteLLM", port, [])
        wait_until_answers(side)
        side.pids = children(pid)
        yield side


@contextmanager
def portkey_side(folder: Path, upstream: int) -> Iterator[Side]:
    """Portkey's gateway."""
    port = free_port()
    script = PEERS / "node_modules/@portkey-ai/gateway/build/start-server.js"
    command = ["node", str(script), f"--port={port}", "--headless"]
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1",
        "authorization": "Bearer sk-x",
    }
    with process(command, TRUSTED_CUSTOM_HOSTS="127.0.0.1") as pid:
        side = Side("Portkey", port, [pid], headers)
        wait_until_answers(side)
        yield side


@contextmanager
def running_sides(upstream: int, names: list[str]) -> Iterator[list[Side]]:
    """The requested sides, in front of one upstream."""
    makers = {
        "nginx": nginx_side,
        "Outlay": outlay_side,
        "Portkey": portkey_side,
        "LiteLLM": litellm_side,
    }
    folder = Path(tempfile.mkdtemp(prefix="outlay-bench-"))
    try:
        with ExitStack() as stack:
            yield [
                stack.enter_context(makers[name](folder / name.lower(), upstream)) for name in names
            ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
