"""Wishes, the sender and the check, on a real network."""
