"""Sales and returns over HTTP."""
