"""Normalised provider names: one name for each provider, whatever gateways, SDKs and users call it.

Sources: LiteLLM's `custom_llm_provider` values, OpenTelemetry's `gen_ai.provider.name` and
`gen_ai.system`, the names that Langfuse, Helicone and OpenRouter export.
"""

from typing import Final

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
    "gcp.vertex.agent": "google",
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

_INTERFACES: Final = frozenset(
    {"chat", "completion", "embedding", "generative-ai", "image", "messages", "responses"}
)
"""Suffixes that the Vercel AI SDK adds to a provider: `openai.responses`."""


def find_provider(name: str) -> str:
    """The provider with a name or alias; an unknown name in lower case."""
    plain = name.strip().lower().replace(" ", "_")
    family, dot, interface = plain.partition(".")
    if dot and interface in _INTERFACES:
        plain = family
    return _NAMES.get(plain, plain)
