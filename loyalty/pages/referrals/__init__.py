"""Referral schemes: what bringing somebody is worth, in words, and drafts."""
