"""The cube on ClickHouse, shared by all nodes."""
