"""Merges: two members turn out to be one person."""
