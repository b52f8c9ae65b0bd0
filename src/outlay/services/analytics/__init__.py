"""Usage questions and their answers."""
