"""Files of other systems: column mappings, and conversion of rows to reports."""
