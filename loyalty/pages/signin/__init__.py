"""Signing in and out, and the first time by a link."""
