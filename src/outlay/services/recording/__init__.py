"""Usage reports become priced events in the ledger."""
