"""Bringing friends: the own code, and what became of whom it brought."""
