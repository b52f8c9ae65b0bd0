"""Tables of numbers as files: the same rows as JSON, NDJSON, CSV and XLSX."""
