"""Pricing recorded requests again, and price previews."""
