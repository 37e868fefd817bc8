"""The Celery application: what is due, and when. `loyalty worker` runs it. A job has no arguments, and may run twice."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from celery import Celery
from celery.schedules import crontab

from loyalty.jobs import work
from loyalty.kit.settings import Settings, load_settings

_SAFETY_NET_SECONDS = 60.0
_CHECK_AT = crontab(hour=3, minute=30)
"""In the merchant's time zone: the day is over, and its awards have settled."""
_REVIEW_TIERS_AT = crontab(hour=0, minute=20)
"""A day has begun: windows have moved, and graces are over."""
_BIRTHDAYS_AT = crontab(hour=8, minute=0)
"""When people are awake."""
_COUNT_DAYS_AT = crontab(hour=4, minute=0)
_CLEAN_UP_AT = crontab(minute=17)


def create_app(settings: Settings) -> Celery:
    """The application for these settings."""
    app = Celery("loyalty", broker=settings.broker_url or None, set_as_current=False)
    schedule: dict[str, tuple[Any, float]] = {
        "loyalty.send": (_SAFETY_NET_SECONDS, 2 * _SAFETY_NET_SECONDS),
        "loyalty.close_fills": (_SAFETY_NET_SECONDS, 2 * _SAFETY_NET_SECONDS),
        "loyalty.take_in_till_files": (_SAFETY_NET_SECONDS, 2 * _SAFETY_NET_SECONDS),
        "loyalty.check": (_CHECK_AT, 6 * 3_600),
        "loyalty.review_tiers": (_REVIEW_TIERS_AT, 6 * 3_600),
        "loyalty.give_birthday_gifts": (_BIRTHDAYS_AT, 6 * 3_600),
        "loyalty.count_station_days": (_COUNT_DAYS_AT, 6 * 3_600),
        "loyalty.clean_up": (_CLEAN_UP_AT, 3_600),
    }
    app.conf.update(
        timezone=ZoneInfo(settings.timezone),
        task_acks_late=True,
        task_ignore_result=True,
        task_default_queue="loyalty",
        worker_hijack_root_logger=False,
        beat_scheduler="celery.beat:Scheduler",
        beat_schedule={
            name: {"task": name, "schedule": when, "options": {"expires": expires}}
            for name, (when, expires) in schedule.items()
        },
    )

    @app.task(name="loyalty.send", shared=False)
    def send() -> int:
        return work.send(settings)

    @app.task(name="loyalty.close_fills", shared=False)
    def close_fills() -> int:
        return work.close_fills(settings)

    @app.task(name="loyalty.take_in_till_files", shared=False)
    def take_in_till_files() -> int:
        return work.take_in_till_files(settings)

    @app.task(name="loyalty.check", shared=False)
    def check() -> int:
        return work.check(settings).found

    @app.task(name="loyalty.review_tiers", shared=False)
    def review_tiers() -> int:
        return work.review_tiers(settings)

    @app.task(name="loyalty.give_birthday_gifts", shared=False)
    def give_birthday_gifts() -> int:
        return work.give_birthday_gifts(settings)

    @app.task(name="loyalty.count_station_days", shared=False)
    def count_station_days() -> int:
        return work.count_station_days(settings)

    @app.task(name="loyalty.clean_up", shared=False)
    def clean_up() -> int:
        return work.clean_up(settings)

    return app


def __getattr__(name: str) -> Celery:
    """`app`, which `celery -A loyalty.jobs.app` looks for: made from the environment when somebody asks for it."""
    if name == "app":
        return create_app(load_settings())
    raise AttributeError(name)
