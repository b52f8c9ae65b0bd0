"""The answers of the JSON API: one type each, from which its schema is derived."""
