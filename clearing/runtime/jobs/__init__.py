"""The jobs that Celery runs on a schedule. A job asks the database what is due, so a lost, late or repeated message does no harm.

There are two queues: quick jobs never wait behind rounds, which may take long.

Celery calls a job a task; that word stands only where Celery's own interface asks for it.
"""
