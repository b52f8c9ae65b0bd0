"""Provider bills compared with recorded cost."""
