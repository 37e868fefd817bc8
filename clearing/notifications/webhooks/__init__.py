"""Webhooks: merchants are told of their events by signed HTTP requests, at least once and in order per subject."""
