"""Files of other systems: which column says what, and rows → reports."""
