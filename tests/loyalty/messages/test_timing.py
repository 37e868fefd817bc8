"""When somebody may be told something: not in quiet hours, whatever the clock says."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from loyalty.messages.timing import Timing

SHANGHAI = ZoneInfo("Asia/Shanghai")
NIGHT = Timing(SHANGHAI, time(21), time(8), 3, 10)
NOON = Timing(SHANGHAI, time(12), time(14), 3, 10)
NEVER = Timing(SHANGHAI, time(0), time(0), 3, 10)
clocks = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001 (hypothesis wants it so)
zones = st.sampled_from([SHANGHAI, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("UTC")])


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def test_whoever_sleeps_is_told_in_the_morning() -> None:
    assert NIGHT.awake(local("2026-12-01T20:59")) == local("2026-12-01T20:59")
    assert NIGHT.awake(local("2026-12-01T21:00")) == local("2026-12-02T08:00")
    assert NIGHT.awake(local("2026-12-02T03:00")) == local("2026-12-02T08:00")
    assert NIGHT.awake(local("2026-12-02T08:00")) == local("2026-12-02T08:00")


def test_quiet_hours_may_lie_within_a_day_or_be_none() -> None:
    assert NOON.awake(local("2026-12-01T13:00")) == local("2026-12-01T14:00")
    assert NOON.awake(local("2026-12-01T23:00")) == local("2026-12-01T23:00")
    assert NEVER.awake(local("2026-12-01T00:00")) == local("2026-12-01T00:00")


def test_what_is_too_much_for_a_day_waits_for_the_next_one() -> None:
    assert NIGHT.next_day(local("2026-12-01T10:00")) == local("2026-12-02T08:00")
    assert NEVER.next_day(local("2026-12-01T10:00")) == local("2026-12-02T00:00")
    assert NIGHT.day_began(local("2026-12-01T00:30")) == local("2026-12-01T00:00")
    assert NIGHT.week_began(local("2026-12-07T00:30")) == local("2026-12-01T00:00")


@given(begins=clocks, ends=clocks, zone=zones, moment=moments)
def test_nobody_is_woken_and_nobody_waits_longer_than_a_day(
    begins: time, ends: time, zone: ZoneInfo, moment: datetime
) -> None:
    timing = Timing(zone, begins, ends, 3, 10)
    found = timing.awake(moment)
    assert moment <= found < moment + timedelta(days=1, hours=1)  # the day on which clocks go back has 25 hours
    assert timing.awake(found) == found
    assert timing.next_day(moment) > moment
