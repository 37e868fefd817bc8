"""Tiers: levels that customers reach by what they earned, spent or visited in a window."""
