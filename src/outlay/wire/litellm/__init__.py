"""What LiteLLM says about usage: as its logger posts it and as its database exports it."""
