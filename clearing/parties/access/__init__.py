"""API keys: who is calling, and what the caller may do."""
