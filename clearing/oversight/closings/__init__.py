"""Closings: what positions and accounts were at the end of a network day that is over."""
