"""OpenTelemetry traces: spans received over OTLP/HTTP, and the LLM calls among them."""
