"""Signing keys: encrypted at rest, opened once, never logged."""
