"""Mutation tests: faults are put into the source one at a time, and tests must detect them."""
