"""Issuing points by hand: goodwill, or what a till has missed."""
