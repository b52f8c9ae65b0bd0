"""Keeping the cube equal to the ledger."""
