"""The canonical model is the underlying one, whatever the route."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.pricing.canonical import canonical_model

SAME = {
    "gpt-5.5": ["gpt-5.5", "openai/gpt-5.5", "azure/gpt-5.5", "openrouter/openai/gpt-5.5"],
    "gpt-4o": ["gpt-4o-2024-08-06", "openai/gpt-4o", "GPT-4o"],
    "gpt-4": ["openai/gpt-4-0613"],
    "gpt-3.5-turbo": ["gpt-3.5-turbo-0125", "azure/gpt-35-turbo"],
    "ft:gpt-4o": ["openai/ft:gpt-4o:acme", "ft:gpt-4o-2024-08-06:acme:suffix:id"],
    "llama3:8b": ["ollama/llama3:8b"],
    "llama3:70b": ["llama3:70b"],
    "claude-x": ["openrouter/anthropic/claude-x", "anthropic/claude-x", "claude-x"],
    "deepseek-r1": ["openrouter/deepseek/deepseek-r1:free", "deepseek-r1:nitro"],
    "claude-sonnet-4-5": [
        "claude-sonnet-4-5-20250929",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "openrouter/anthropic/claude-sonnet-4.5",
        "vertex_ai/claude-sonnet-4-5@20250929",
    ],
    "claude-3-haiku": ["bedrock/anthropic.claude-3-haiku-20240307-v1:0"],
    "claude-2-1": ["anthropic.claude-v2:1"],
    "claude-3-5-sonnet": ["claude-3-5-sonnet-latest"],
    "llama-3.1-70b-instruct": [
        "meta.llama3-1-70b-instruct-v1:0",
        "accounts/fireworks/models/llama-v3p1-70b-instruct",
    ],
    "nova-pro": ["amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0"],
    "gemini-2.5-pro": [
        "models/gemini-2.5-pro",
        "gemini/gemini-2.5-pro",
        "publishers/google/models/gemini-2.5-pro",
    ],
    "mistral-large": ["mistral/mistral-large-2411", "mistral-large-latest"],
}

APART = [
    "gpt-4o-mini",
    "gpt-4-turbo-preview",
    "gpt-3.5-turbo-16k",
    "gpt-5",
    "o3",
    "o3-mini",
    "claude-opus-4-1-thinking",
    "mixtral-8x7b-32768",
    "llama-3.1-405b",
    "qwen3-235b-a22b",
    "text-embedding-3-large",
    "kimi-k2-0905",
]


@pytest.mark.parametrize(
    ("model", "mapping"), [(model, name) for model, names in SAME.items() for name in names]
)
def test_routes_of_a_model_collapse(model: str, mapping: str) -> None:
    assert canonical_model(mapping) == model


@pytest.mark.parametrize("model", APART)
def test_what_makes_another_model_stays(model: str) -> None:
    assert canonical_model(f"provider/{model}") == model


def test_the_operators_aliases_win() -> None:
    aliases = {"my-fast-model": "openai/gpt-5.5", "azure/gpt-4o": "gpt-4o-mini"}

    assert canonical_model("azure/my-fast-model", aliases) == "gpt-5.5"
    assert canonical_model("azure/gpt-4o", aliases) == "gpt-4o-mini"
    assert canonical_model("openai/gpt-4o", aliases) == "gpt-4o"


deep = st.lists(
    st.sampled_from(
        ["-latest", ":free", "@001", "-2024-08-06", "-20250929", "-v1:0", "a", "/", "ft:"]
    )
).map("".join)
names = st.text(st.sampled_from("abgpt-:./@ 0123456789v_FT"), max_size=40)
known = st.sampled_from([name for names in SAME.values() for name in names] + APART)


@given(st.one_of(names, known, deep, st.text(max_size=30)))
def test_names_are_never_lost_and_settle_at_once(name: str) -> None:
    model = canonical_model(name)

    assert bool(model) == bool(name.strip())
    assert canonical_model(model) == model
