"""One name for each provider, whatever other gateways and SDKs call it.

Sources: LiteLLM's `custom_llm_provider` values, OpenTelemetry's `gen_ai.provider.name` and
`gen_ai.system`, the names that Langfuse, Helicone and OpenRouter export.
"""

from typing import Final

UNKNOWN: Final = "unknown"

_NAMES: Final = {
    "amazon": "aws",
    "amazon_bedrock": "aws",
    "aws.bedrock": "aws",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "azure_text": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "google_ai_studio": "google",
    "google_genai": "google",
    "ibm.watsonx.ai": "watsonx",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "togetherai": "together",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "vertexai": "google",
    "voyage": "voyageai",
    "x_ai": "x-ai",
    "xai": "x-ai",
}

_FAMILIES: Final = (
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("text-embedding-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("claude-", "anthropic"),
    ("gemini-", "google"),
    ("mistral-", "mistral"),
    ("deepseek-", "deepseek"),
    ("grok-", "x-ai"),
    ("command-", "cohere"),
)


def provider_called(name: str) -> str:
    """The provider that a foreign name means; an unknown name in lower case."""
    plain = name.strip().lower().replace(" ", "_")
    return _NAMES.get(plain, plain)


def route_of(provider: str, model: str) -> tuple[str, str]:
    """Provider and mapping (`openai/gpt-5.5`) of a model, with or without a provider before it.

    Where nobody says the provider, the model's family does; `unknown` where that says nothing.
    """
    named = provider_called(provider)
    prefix, slash, rest = model.partition("/")
    if not named:
        named = provider_called(prefix) if slash and rest else _family_of(model)
    if slash and rest and provider_called(prefix) == named:
        model = rest
    return named, f"{named}/{model}" if model else ""


def _family_of(model: str) -> str:
    lowered = model.lower()
    return next((owner for start, owner in _FAMILIES if lowered.startswith(start)), UNKNOWN)
