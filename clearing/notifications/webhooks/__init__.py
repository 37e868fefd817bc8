"""Webhooks: signed HTTP requests notify merchants of their events, at least once, and in order for each subject."""
