"""API keys: who made them, what they may do, and when they were last used."""
