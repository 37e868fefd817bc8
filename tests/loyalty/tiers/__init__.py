"""Tiers: schemes, moves, and who would move."""
