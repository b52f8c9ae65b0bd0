"""Our prices beside those of other price tables; `python -m tools.price_check`."""
