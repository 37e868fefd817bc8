"""Privileged calls that a person asks for: what they change, and the note of who asked and why."""
