"""Member codes."""
