"""LiteLLM's usage data: the payloads of its logger and the exports of its database."""
