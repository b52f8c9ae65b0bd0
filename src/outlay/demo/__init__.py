"""A realistic demo organization, generated deterministically: for trials, tests and screenshots."""
