"""The canonical model is the underlying model, whatever the route."""

import pytest
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from outlay.pricing.canonical import canonical_model, resolve_alias

SAME = {
    "gpt-5.5": [
        "gpt-5.5",
        "openai/gpt-5.5",
        "azure/gpt-5.5",
        "openrouter/openai/gpt-5.5",
        "openrouter/openai/gpt-5.5:batch",
        "bedrock/openai.gpt-5.5",
    ],
    "gpt-4o": ["gpt-4o-2024-08-06", "openai/gpt-4o", "GPT-4o", "azure/eu/gpt-4o-2024-11-20"],
    "gpt-4": ["openai/gpt-4-0613"],
    "gpt-3.5-turbo": ["gpt-3.5-turbo-0125", "azure/gpt-35-turbo", "azure/gpt-35-turbo-0613"],
    "ft:gpt-4o": [
        "openai/ft:gpt-4o:acme",
        "ft:gpt-4o-2024-08-06:acme:suffix:id",
        "openai/ft:gpt-4o-2024-08-06:acme:with/slash:id",
    ],
    "ft:gpt-4o-mini": ["ft:gpt-4o-mini-2024-07-18:acme::id"],
    "llama3:8b": ["ollama/llama3:8b"],
    "llama3:70b": ["llama3:70b"],
    "llama3": ["ollama/llama3:latest"],
    "claude-x": ["openrouter/anthropic/claude-x", "anthropic/claude-x", "claude-x"],
    "deepseek-r1": [
        f"openrouter/deepseek/deepseek-r1{variant}"
        for variant in (
            *("", ":free", ":nitro", ":floor", ":online", ":extended", ":exacto", ":beta"),
            *(":free:nitro", ":batch"),
        )
    ]
    + ["deepseek.r1-v1:0"],
    "claude-sonnet-4-5": [
        "claude-sonnet-4-5-20250929",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
        "openrouter/anthropic/claude-sonnet-4.5",
        "vertex_ai/claude-sonnet-4-5@20250929",
        "publishers/anthropic/models/claude-sonnet-4-5@default",
        "claude-4.5-sonnet",
    ],
    "claude-opus-4-1": ["claude-opus-4-1@20250805", "claude-opus-4.1"],
    "claude-opus-4-5": ["claude-opus-4.5", "claude-opus-4-5"],
    "claude-opus-4-6": ["anthropic.claude-opus-4-6-v1", "us.anthropic.claude-opus-4-6-v1:0"],
    "claude-3-haiku": [
        "bedrock/anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-3-haiku-20240307-v1:0:48k",
    ],
    "claude-2-1": ["anthropic.claude-v2:1", "claude-2.1"],
    "claude-3-5-sonnet": [
        "claude-3-5-sonnet-latest",
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "claude-3-5-sonnet-v2@20241022",
    ],
    "llama-3.1-70b-instruct": [
        "meta.llama3-1-70b-instruct-v1:0",
        "us.meta.llama3-1-70b-instruct-v1:0",
        "accounts/fireworks/models/llama-v3p1-70b-instruct",
        "Meta-Llama-3.1-70B-Instruct",
    ],
    "kimi-k2.6": ["fireworks_ai/accounts/fireworks/models/kimi-k2p6", "moonshotai/Kimi-K2.6"],
    "llama-3.1-405b-instruct": ["vertex_ai/meta/llama-3.1-405b-instruct-maas"],
    "nova-pro": ["amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0"],
    "gpt-oss-120b": ["openai.gpt-oss-120b-1:0", "groq/openai/gpt-oss-120b"],
    "mistral-7b-instruct-v0.2": ["mistral.mistral-7b-instruct-v0:2"],
    "gemini-2.5-pro": [
        "models/gemini-2.5-pro",
        "gemini/gemini-2.5-pro",
        "vertex_ai/gemini-2.5-pro",
        "publishers/google/models/gemini-2.5-pro",
    ],
    "gemini-2.0-flash": ["google/gemini-2.0-flash-001"],
    "gemini-2.5-flash-preview": ["gemini-2.5-flash-preview-04-17"],
    "mistral-large": ["mistral/mistral-large-2411", "mistral-large-latest"],
}

APART = [
    "gpt-4o-mini",
    "gpt-4-turbo",
    "gpt-4-turbo-preview",
    "gpt-4-1106-preview",
    "gpt-3.5-turbo-16k",
    "gpt-4-32k",
    "gpt-5",
    "o3",
    "o3-mini",
    "claude-opus-4-1-thinking",
    "claude-3-7-sonnet:thinking",
    "mixtral-8x7b-32768",
    "llama-3.1-405b",
    "llama3-70b-8192",
    "qwen3-235b-a22b",
    "qwen3-235b-a22b-2507",
    "text-embedding-3-large",
    "text-embedding-3-small",
    "text-embedding-ada-002",
    "gemini-embedding-001",
    "titan-embed-text-v1",
    "kimi-k2-0905",
    "deepseek-r1-0528",
    "gemini-pro-latest",
    "gpt-latest",
    "mistral-large-2512",
    "babbage-002",
]


@pytest.mark.parametrize(
    ("model", "mapping"), [(model, name) for model, names in SAME.items() for name in names]
)
def test_routes_of_a_model_have_one_canonical_model(model: str, mapping: str) -> None:
    assert canonical_model(mapping) == model


@pytest.mark.parametrize("model", APART)
def test_different_models_stay_different(model: str) -> None:
    assert canonical_model(f"provider/{model}") == model


def test_versions_of_titan_and_nemotron_are_not_revisions() -> None:
    assert canonical_model("amazon.titan-embed-text-v1") == "titan-embed-text-v1"
    assert canonical_model("amazon.titan-embed-text-v2:0") == "titan-embed-text-v2"
    assert canonical_model("nvidia.nemotron-nano-9b-v2:0") == "nemotron-nano-9b-v2"


@pytest.mark.parametrize("name", ["", "   "])
def test_empty_name_stays_empty(name: str) -> None:
    assert canonical_model(name) == ""


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("/", "/"),
        (":free", ":free"),
        ("ft:", "ft:"),
        (" x ", "x"),
        ("a/", "a"),
        ("-latest", "-latest"),
    ],
)
def test_unusual_names_are_preserved(name: str, model: str) -> None:
    assert canonical_model(name) == model


def test_operator_aliases_win_ignoring_case() -> None:
    aliases = {"My-Fast-Model": "openai/gpt-5.5", "azure/GPT-4o": "gpt-4o-mini"}

    assert canonical_model("azure/my-fast-model", aliases) == "gpt-5.5"
    assert canonical_model("MY-FAST-MODEL", aliases) == "gpt-5.5"
    assert canonical_model("Azure/gpt-4o", aliases) == "gpt-4o-mini"
    assert canonical_model("openai/gpt-4o", aliases) == "gpt-4o"


def test_alias_can_separate_what_a_rule_would_merge() -> None:
    dated = "gpt-4o-2024-05-13"

    assert canonical_model(f"openai/{dated}", {dated: dated}) == dated


def test_aliases_are_followed_and_cycles_end() -> None:
    assert canonical_model("a", {"a": "b", "b": "c"}) == "c"
    assert resolve_alias("x/a", {"a": "b", "b": "openai/gpt-5.5"}) == "openai/gpt-5.5"
    assert canonical_model("a", {"a": "b", "b": "a"}) in {"a", "b"}
    assert resolve_alias("a", {"a": "b", "b": "a"}) in {"a", "b"}


def test_every_listed_model_is_a_fixed_point() -> None:
    for provider in providers:
        for model in provider.models:
            canonical = canonical_model(f"{provider.id}/{model.id}")
            assert canonical == canonical_model(model.id)
            assert canonical == canonical_model(canonical)
            assert canonical.strip("-:@/.")


names = st.text(st.sampled_from("abgpt-:./@ 0123456789v_FT~"), max_size=40)
DECORATIONS = """
us. anthropic. mistral. claude gpt gemini-2 a ft: / : - ~ -latest -0613 -2411 -2024-08-06 -20250929
-v1:0 -v0:2 :free @001 @20250805 -maas 3p1 4.5 -001 -preview-05-06 meta- llama-3
"""
deep = st.lists(st.sampled_from(DECORATIONS.split())).map("".join)
known = st.sampled_from([name for names in SAME.values() for name in names] + APART)


@given(st.one_of(names, known, deep, st.text(max_size=30)))
def test_canonicalization_is_idempotent_and_never_empty(name: str) -> None:
    model = canonical_model(name)

    assert bool(model) == bool(name.strip())
    assert canonical_model(model) == model
