"""Till files over HTTP."""
