"""Client requests: admitted, relayed, recorded."""
