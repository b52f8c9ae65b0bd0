"""Repricing of recorded requests, and price previews."""
