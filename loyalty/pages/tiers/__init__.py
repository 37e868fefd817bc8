"""Tier schemes: levels in words, drafts, and who would move."""
