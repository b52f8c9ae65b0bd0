"""OpenTelemetry traces: spans as they come over OTLP/HTTP, and the LLM calls among them."""
