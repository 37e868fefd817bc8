"""Statements: a merchant's day in sums that lead from its opening to its closing position."""
