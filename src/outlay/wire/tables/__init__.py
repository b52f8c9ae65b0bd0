"""Tables of numbers as files: the same rows as JSON, lines of JSON, CSV, XLSX."""
