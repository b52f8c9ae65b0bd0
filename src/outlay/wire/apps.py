"""The application behind a request, derived from its `User-Agent`."""

import re
from functools import lru_cache
from typing import Final

_AGENTS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"\bclaude-(?:cli|code)\b", "Claude Code"),
        (r"\bcodex[_/ -]", "Codex"),
        (r"\bgeminicli\b", "Gemini CLI"),
        (r"\bgithub-?copilot|\bcopilot/", "GitHub Copilot"),
        (r"\bopencode/", "opencode"),
        (r"\bkilo-?code/", "Kilo Code"),
        (r"\broocode/", "Roo Code"),
        (r"\bcline/", "Cline"),
        (r"\bcontinue/", "Continue"),
        (r"\bcursor/", "Cursor"),
        (r"\bzed/", "Zed"),
        (r"\baider/", "Aider"),
        (r"\bopen[ -]?webui\b", "Open WebUI"),
        (r"\blitellm/", "LiteLLM"),
        (r"\blangchain", "LangChain"),
        (r"^agents/(?:python|javascript)\b", "OpenAI Agents"),
        (r"^(?:async)?openai/python", "OpenAI Python"),
        (r"^(?:async)?anthropic/python", "Anthropic Python"),
        (r"^anthropic/js", "Anthropic JavaScript"),
        # In minified code the client's class has a name of one to three letters.
        (r"^(?:openai|[a-z_$][a-z0-9_$]{0,2})/js\b", "OpenAI JavaScript"),
        (r"^ai/|\bai-sdk/", "Vercel AI SDK"),
        (r"^mozilla/", "Browser"),
    )
)
"""Agents first, then libraries: an agent also names the library it uses."""

_PRODUCT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


@lru_cache(maxsize=4096)
def app_of_agent(agent: str) -> str:
    """The application of a `User-Agent`: from the table, else its first product name."""
    for pattern, name in _AGENTS:
        if pattern.search(agent):
            return name
    product = _PRODUCT.match(agent)
    return product[0].strip() if product else ""
