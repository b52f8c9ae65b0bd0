"""Faults put into the source one at a time, to see whether the tests find them."""
