"""The documentation site: what is generated from the code when it is built."""
