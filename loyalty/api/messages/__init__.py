"""Wishes, and what a person decides about refused ones."""
