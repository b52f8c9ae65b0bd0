"""What usage costs: an effective-dated price book, and which model is behind a name."""
