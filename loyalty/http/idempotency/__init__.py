"""Idempotency keys: a request has one effect and one answer, however often it is sent."""
