"""Comparison of our prices with other price tables; `python -m tools.price_check`."""
