"""Referrals: who may bring whom, and what both are given."""
