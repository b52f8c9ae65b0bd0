"""The application behind a request, by the `User-Agent` that it sends."""

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
        # Minified, the class that the client calls itself by has a name of one to three letters.
        (r"^(?:openai|[a-z_$][a-z0-9_$]{0,2})/js\b", "OpenAI JavaScript"),
        (r"^ai/|\bai-sdk/", "Vercel AI SDK"),
        (r"^mozilla/", "Browser"),
    )
)
"""Agents first, then libraries: an agent names the library that it is made with, too."""

_PRODUCT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


@lru_cache(maxsize=4096)
def app_of_agent(agent: str) -> str:
    """The application that a `User-Agent` means: by the table, else its first product's name."""
    for pattern, name in _AGENTS:
        if pattern.search(agent):
            return name
    product = _PRODUCT.match(agent)
    return product[0].strip() if product else ""
