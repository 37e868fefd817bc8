"""Timed work, run by Celery."""
