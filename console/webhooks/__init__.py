"""Webhooks: where a merchant's events are sent, and what became of each of them."""
