"""Opening an installation: from settings to services."""
