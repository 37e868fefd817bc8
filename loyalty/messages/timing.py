"""When a customer may be told something: not in quiet hours, and not too often. Pure: it is told what time it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from loyalty.kit.settings import Settings

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Timing:
    """The merchant's quiet hours and caps.

    Attributes:
        zone: By which its days and hours are told.
        quiet_from: When quiet hours begin; they may go on past midnight.
        quiet_until: When they end; the same as `quiet_from`: there are none.
        a_day: The most messages in a day.
        a_week: The most in a day and the six days before.
    """

    zone: ZoneInfo
    quiet_from: time
    quiet_until: time
    a_day: int
    a_week: int

    @classmethod
    def of(cls, settings: Settings) -> Timing:
        """What the settings say."""
        return cls(
            ZoneInfo(settings.timezone),
            settings.quiet_from,
            settings.quiet_until,
            settings.messages_a_day,
            settings.messages_a_week,
        )

    def awake(self, moment: datetime) -> datetime:
        """The first moment from this one on that is not in quiet hours."""
        local = moment.astimezone(self.zone)
        if not self._is_quiet(local.time()):
            return moment
        ends = datetime.combine(local.date(), self.quiet_until, self.zone)
        return (ends if local.time() < self.quiet_until else self._next(ends)).astimezone(UTC)

    def day_began(self, moment: datetime) -> datetime:
        """When the merchant's day of a moment began."""
        return datetime.combine(moment.astimezone(self.zone).date(), time(), self.zone).astimezone(UTC)

    def week_began(self, moment: datetime) -> datetime:
        """When the seven days began, of which the last one is the moment's."""
        first = moment.astimezone(self.zone).date() - (_WEEK - _DAY)
        return datetime.combine(first, time(), self.zone).astimezone(UTC)

    def next_day(self, moment: datetime) -> datetime:
        """When quiet hours are over on the next day."""
        begins = self._next(datetime.combine(moment.astimezone(self.zone).date(), time(), self.zone))
        return self.awake(begins.astimezone(UTC))

    def _is_quiet(self, clock: time) -> bool:
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= clock < self.quiet_until
        return clock >= self.quiet_from or clock < self.quiet_until

    def _next(self, moment: datetime) -> datetime:
        return datetime.combine(moment.date() + _DAY, moment.time(), self.zone)
