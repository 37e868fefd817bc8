"""Tier schemes and customers' tiers over HTTP."""
