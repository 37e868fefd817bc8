"""Merchants: those who take part, and how another one joins."""
