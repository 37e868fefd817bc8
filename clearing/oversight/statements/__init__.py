"""Statements: a merchant's day in sums, from the opening position to the closing one."""
