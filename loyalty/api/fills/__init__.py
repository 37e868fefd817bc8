"""Fills over HTTP."""
