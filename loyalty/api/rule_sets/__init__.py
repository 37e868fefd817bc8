"""Rule sets over HTTP."""
