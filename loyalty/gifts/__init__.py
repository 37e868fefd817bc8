"""Gifts: bonuses for joining, for a whole profile, for a birthday."""
