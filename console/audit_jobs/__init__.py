"""Audits that the console runs: each a process of its own, and a directory that outlives it and the console."""
