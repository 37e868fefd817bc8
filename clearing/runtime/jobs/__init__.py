"""Celery: the timed work. Tasks look at what is due in the database, so a lost, late or repeated message does no harm."""
