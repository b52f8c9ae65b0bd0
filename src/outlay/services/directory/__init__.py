"""Organizations, members, projects, keys and their settings."""
