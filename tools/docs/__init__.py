"""The documentation site: the pages that are generated from the code at build time."""
