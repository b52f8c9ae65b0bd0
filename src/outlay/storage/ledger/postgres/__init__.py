"""The ledger in PostgreSQL, written by many nodes."""
