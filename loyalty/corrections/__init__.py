"""Corrections: a sale was wrong, and another one is right. Both stay."""
