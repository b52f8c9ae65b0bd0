"""Example answers as JSON, one file per endpoint, shown in the OpenAPI document."""
