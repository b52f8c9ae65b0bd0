"""Answers as JSON, one file per endpoint: what the OpenAPI description shows."""
