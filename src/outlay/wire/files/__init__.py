"""Files of other systems: column mappings, and rows → reports."""
