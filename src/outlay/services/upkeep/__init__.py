"""Retention, erasure, backup and scrubbing."""
