"""Client requests: admission, routing, recording."""
