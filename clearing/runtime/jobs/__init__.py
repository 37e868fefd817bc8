"""The jobs that Celery runs on a schedule. A job asks the database what is due, so a lost, late or repeated message does no harm.

Celery calls a job a task; that word stands only where Celery's own interface asks for it.
"""
