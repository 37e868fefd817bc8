"""Gift plans over HTTP."""
