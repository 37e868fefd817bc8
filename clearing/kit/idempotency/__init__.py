"""Idempotency keys: one effect and one answer for a request, however often it is sent."""
