"""Import files: their rows, in any supported format."""
