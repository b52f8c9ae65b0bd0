"""Files that people import: their rows, whatever they are written in."""
