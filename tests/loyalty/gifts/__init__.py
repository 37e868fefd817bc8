"""Gifts for joining, for a whole profile, for birthdays."""
