"""The providers' own client libraries with the gateway's base URL and nothing else changed."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import httpx
import openai
import pytest

from outlay.domain.event import Status, UsageSource
from tests.gateway.conftest import Gate, counted, tokens_of
from tests.node import run_node

MESSAGES: Any = [{"role": "user", "content": "Hello there"}]


def in_loop(make: Any) -> Any:
    """Run a coroutine in a separate event loop, whatever other tests have left behind."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(make())).result()


def check_recorded(gate: Gate, operation: str = "chat") -> None:
    """Check that the only recorded event has the upstream's count and is priced."""
    event = gate.event()
    assert tokens_of(event) == counted(gate.upstream.last)
    assert (event.status, event.usage_source) == (Status.OK, UsageSource.PROVIDER)
    assert event.operation == operation
    assert event.response_id == gate.upstream.last.response_id


@pytest.fixture
def client(gate: Gate) -> Iterator[Any]:
    """OpenAI's client with the gateway's address and key."""
    with openai.OpenAI(base_url=f"{gate.url}/v1", api_key=gate.key, max_retries=0) as client:
        yield client


@pytest.fixture
def claude(gate: Gate) -> Iterator[Any]:
    """Anthropic's client with the gateway's address and key."""
    with anthropic.Anthropic(base_url=gate.url, api_key=gate.key, max_retries=0) as claude:
        yield claude


def test_openai_chat(gate: Gate, client: Any) -> None:
    answer = client.chat.completions.create(model="gpt-5.5", messages=MESSAGES)

    assert answer.choices[0].message.content == "word1-0 word1-1 word1-2 word1-3 word1-4 "
    event_usage = answer.usage
    assert event_usage is not None
    assert event_usage.completion_tokens == 5
    check_recorded(gate)


def test_openai_stream_without_usage_is_unchanged(gate: Gate, client: Any) -> None:
    stream = client.chat.completions.create(model="gpt-5.5", messages=MESSAGES, stream=True)
    chunks = list(stream)

    assert "".join(c.choices[0].delta.content or "" for c in chunks).startswith("word1-0 ")
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert gate.upstream.last.json["stream_options"] == {"include_usage": True}
    check_recorded(gate)


def test_openai_stream_with_usage_has_it(gate: Gate, client: Any) -> None:
    chunks = list(
        client.chat.completions.create(
            model="gpt-5.5",
            messages=MESSAGES,
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    assert chunks[-1].usage is not None
    assert chunks[-1].choices == []
    check_recorded(gate)


def test_openai_tools(gate: Gate, client: Any) -> None:
    function: Any = {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    answer = client.chat.completions.create(
        model="gpt-5.5",
        messages=MESSAGES,
        tools=[{"type": "function", "function": function}],
    )

    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].function.arguments == '{"city":"Paris"}'
    check_recorded(gate)


def test_openai_embeddings(gate: Gate, client: Any) -> None:
    answer = client.embeddings.create(
        model="text-embedding-3-small", input="hello", encoding_format="float"
    )

    assert answer.data[0].embedding == [0.25, -0.5]
    check_recorded_embedding(gate)


def check_recorded_embedding(gate: Gate) -> None:
    event = gate.event()
    usage: Any = gate.upstream.last.usage
    assert event.input_tokens == usage["prompt_tokens"]
    assert (event.output_tokens, event.operation) == (0, "embeddings")


@pytest.mark.parametrize("is_stream", [False, True])
def test_openai_responses(gate: Gate, client: Any, is_stream: bool) -> None:
    if is_stream:
        events = list(client.responses.create(model="gpt-5.5", input="hi", stream=True))
        assert events[-1].type == "response.completed"
    else:
        answer = client.responses.create(model="gpt-5.5", input="hi")
        assert answer.output_text.startswith("word1-0 ")
    check_recorded(gate, "responses")


def test_openai_completions_images_and_audio(gate: Gate, client: Any) -> None:
    client.completions.create(model="gpt-3.5-turbo-instruct", prompt="hi")
    check_recorded(gate, "text_completion")
    client.images.generate(model="gpt-image-1", prompt="a cat")
    check = gate.event()
    assert (check.input_tokens, check.output_tokens) == (12, 1056)
    spoken = client.audio.speech.create(model="tts-1", voice="alloy", input="hello")
    assert spoken.read() == bytes(range(256)) * 64
    speech = gate.event()
    assert (speech.operation, speech.usage_source) == ("speech", UsageSource.UNKNOWN)
    heard = client.audio.transcriptions.create(
        model="openai/gpt-4o-transcribe", file=("a.wav", b"RIFF" + bytes(1000), "audio/wav")
    )
    assert heard.text == "hello"
    assert b'name="model"\r\n\r\ngpt-4o-transcribe\r\n' in gate.upstream.last.body
    transcription = gate.event()
    assert (transcription.input_tokens, transcription.output_tokens) == (14, 45)
    assert transcription.mapping == "openai/gpt-4o-transcribe"


def test_openai_async(gate: Gate) -> None:
    async def talk() -> str:
        async with openai.AsyncOpenAI(base_url=f"{gate.url}/v1", api_key=gate.key) as client:
            stream: Any = await client.chat.completions.create(
                model="gpt-5.5",
                messages=MESSAGES,
                stream=True,
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert in_loop(talk).endswith("word1-4 ")
    check_recorded(gate)


def test_openai_models(client: Any, gate: Gate) -> None:
    # Aliases, which other tests create, have no provider in their name.
    assert {model.id for model in client.models.list() if "/" in model.id} == {
        f"{provider}/{model}"
        for provider in ("openai", "anthropic")
        for model in ("gpt-5.5", "gpt-5.5-mini")
    }


def test_listed_models_have_the_fields_clients_check(client: Any, claude: Any, gate: Gate) -> None:
    dated, undated = [m for m in client.models.list() if m.id.startswith("openai/")]
    assert (dated.created, dated.owned_by, dated.object) == (1_750_000_000, "openai", "model")
    assert (
        undated.created
        == gate.services.router.upstreams(gate.organization.organization_id)[0][0].created_at_us
        // 1_000_000
    )
    assert dated.model_extra["type"] == "base"  # Mistral's client requires both
    assert dated.model_extra["capabilities"] == {"vision": True}
    listed = claude.models.list().data
    assert {model.type for model in listed} == {"model"}
    assert all(model.display_name and model.created_at.year >= 2025 for model in listed)


@pytest.mark.parametrize("credential", ["x-api-key", "bearer"])
def test_anthropic_messages(gate: Gate, credential: str) -> None:
    shown: Any = {"api_key": gate.key} if credential == "x-api-key" else {"auth_token": gate.key}
    with anthropic.Anthropic(base_url=gate.url, **shown) as claude:
        answer: Any = claude.messages.create(
            model="claude-sonnet-5",
            max_tokens=100,
            messages=MESSAGES,
        )

    assert answer.content[0].text.startswith("word1-0 ")
    assert gate.upstream.last.headers["x-api-key"] == "sk-anthropic-secret-0123456789"
    assert "authorization" not in gate.upstream.last.headers
    assert gate.upstream.last.headers["anthropic-version"].startswith("20")
    check_recorded(gate)


def test_anthropic_stream(gate: Gate, claude: Any) -> None:
    with claude.messages.stream(
        model="claude-sonnet-5",
        max_tokens=100,
        messages=MESSAGES,
    ) as stream:
        text = "".join(stream.text_stream)

    assert text == "word1-0 word1-1 word1-2 word1-3 word1-4 "
    check_recorded(gate)


def test_anthropic_count_tokens_is_a_request_without_usage(gate: Gate, claude: Any) -> None:
    counted_ = claude.messages.count_tokens(model="claude-sonnet-5", messages=MESSAGES)

    assert counted_.input_tokens == 42
    event = gate.event()
    assert (event.operation, event.input_tokens, event.cost_pusd) == ("count_tokens", 0, 0)
    assert event.usage_source is UsageSource.PROVIDER


def test_anthropic_async(gate: Gate) -> None:
    async def talk() -> str:
        async with anthropic.AsyncAnthropic(base_url=gate.url, api_key=gate.key) as claude:
            answer: Any = await claude.messages.create(
                model="claude-sonnet-5",
                max_tokens=100,
                messages=MESSAGES,
            )
            return str(answer.id)

    assert in_loop(talk) == "msg_1"
    check_recorded(gate)


def test_errors_are_parsed_by_the_libraries(gate: Gate, claude: Any) -> None:
    stranger: Any = openai.OpenAI(base_url=f"{gate.url}/v1", api_key="sk-unknown", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError) as refused:
        stranger.chat.completions.create(model="gpt-5.5", messages=MESSAGES)
    assert refused.value.code == "invalid_api_key"

    with pytest.raises(anthropic.NotFoundError) as unknown:
        claude.messages.create(model="nobody-has-this", max_tokens=1, messages=MESSAGES)
    assert "openai/nobody-has-this" in str(unknown.value)
    event = gate.event()
    assert (event.status, event.error_code) == (Status.CLIENT_ERROR, "model-not-found")
    assert (event.http_status, event.cost_pusd) == (404, 0)


def test_provider_errors_are_relayed_byte_for_byte(gate: Gate) -> None:
    text = '{"error": {"message":  "no \\u00e9", "type": "invalid_request_error"}}'
    answer = gate.post(script={"status": 400, "text": text})

    assert (answer.status_code, answer.text) == (400, text)
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-outlay-request-id"] == gate.event().event_id


NODE_SCRIPT = """
const OpenAI = require('openai');
const client = new OpenAI({baseURL: process.argv[1], apiKey: process.argv[2], maxRetries: 0});
(async () => {
  const messages = [{role: 'user', content: 'hi'}];
  const whole = await client.chat.completions.create({model: 'gpt-5.5', messages});
  let streamed = '';
  const stream = await client.chat.completions.create({model: 'gpt-5.5', messages, stream: true});
  for await (const chunk of stream) streamed += chunk.choices[0].delta.content ?? '';
  const answer = await client.responses.create({model: 'gpt-5.5', input: 'hi'});
  console.log(JSON.stringify([whole.choices[0].message.content, streamed, answer.output_text]));
})();
"""


def test_openai_for_javascript(gate: Gate) -> None:
    printed = run_node(NODE_SCRIPT, f"{gate.url}/v1", gate.key, packages=("openai",))

    whole, streamed, answered = json.loads(printed)
    assert whole.startswith("word1-0 ")
    assert streamed.startswith("word2-0 ")
    assert answered.startswith("word3-0 ")
    events = gate.events(3)
    assert [tokens_of(event) for event in events] == [counted(s) for s in gate.upstream.served]
    assert {event.app for event in events} == {"OpenAI JavaScript"}


def test_plain_http_request_works(gate: Gate) -> None:
    answer = httpx.post(
        f"{gate.url}/v1/chat/completions",
        content=b'{ "model" : "gpt-5.5", "messages":[], "seed": 12345678901234567890 }',
        headers=gate.headers,
    )

    assert answer.status_code == 200
    assert gate.upstream.last.body.startswith(b'{ "model" : "gpt-5.5"')
    check_recorded(gate)
