"""Whether the programme works, and its metrics."""
