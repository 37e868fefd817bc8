"""Signing in by a one-time code, and signing out."""
