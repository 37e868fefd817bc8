"""Tries rule sets on the sales that were recorded."""
