"""The effective-dated price book, and canonical model names."""
