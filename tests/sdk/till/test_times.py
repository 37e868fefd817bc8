"""Times: the forms they are written in, and hours that a clock change skips or repeats."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tongdui.till._cells import BadCellError
from tongdui.till._mapping import TillMapping
from tongdui.till._points import PointsRule
from tongdui.till._times import FileOrder, TimeReader, TwoTimes

EPOCH = date(1899, 12, 30)
COLUMNS = {name: (name,) for name in ("time", "sale", "customer", "article", "quantity", "amount")}


def reader(*times: str, zone: str = "Asia/Shanghai") -> TimeReader:
    return TimeReader(TillMapping("test", COLUMNS, PointsRule({}), times=times, zone=ZoneInfo(zone)), EPOCH)


@pytest.mark.parametrize(
    ("form", "cell"),
    [
        ("rfc3339", "2026-04-15T08:01:40+08:00"),
        ("rfc3339", "2026-04-15t00:01:40z"),
        ("rfc3339", "2026-04-15 00:01:40.0Z"),
        ("%Y-%m-%d %H:%M:%S", "2026-04-15 08:01:40"),
        ("%Y-%m-%d %H:%M:%S", "2026-4-15  8:1:40"),
        ("%Y-%m-%d %H:%M:%S", '="2026-04-15 08:01:40"'),
        ("%Y-%m-%d %H:%M:%S", "\ufeff2026-04-15\u00a008:01:40 "),
        ("%Y/%m/%d %H:%M:%S", "2026/4/15 08:01:40"),
        ("%d.%m.%Y %H:%M:%S", "15.04.2026 08:01:40"),
        ("%m/%d/%Y %I:%M:%S %p", "04/15/2026 8:01:40 AM"),
        ("%H:%M:%S %d/%m/%Y", "08:01:40 15/04/2026"),
        ("%d %b %Y %H:%M:%S", "15 Apr 2026 08:01:40"),
        ("%Y%m%d%H%M%S", "20260415080140"),
        ("%Y%m%d %H%M%S", "20260415 080140"),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-04-15T02:01:40+02:00"),
        ("%Y年%m月%d日 %H时%M分%S秒", "2026年4月15日 8时01分40秒"),
        ("%Y-%m-%d", "2026-04-15T08:01:40"),
        ("excel", "46127.33449"),
        ("excel", "46127,334491"),
        ("excel", "46127.3344907407"),
        ("excel", "46127.334490740739"),
        ("excel", "46127.334"),
    ],
)
def test_one_moment_is_written_in_many_forms(form: str, cell: str) -> None:
    expected = datetime(2026, 4, 15, 0, 1, 40, tzinfo=UTC)
    if cell == "46127.334":
        expected -= timedelta(seconds=42)  # 0.334 of a day are 28,857.6 seconds
    assert reader(form).read(cell) == expected


@pytest.mark.parametrize(
    ("form", "pair"),
    [
        ("%Y-%m-%d %H:%M:%S", ("2026-04-15", "08:01:40")),
        ("%Y-%m-%d %H:%M:%S", ("2026-04-14", "2026-04-15 08:01:40")),
        ("%Y-%m-%d %H:%M:%S", ("", "2026-04-15 08:01:40")),
        ("rfc3339", ("2026-04-15", "00:01:40Z")),
        ("%m/%d/%Y %I:%M:%S %p", ("4/15/2026", "8:01:40 AM")),
        ("%Y%m%d %H%M%S", ("20260415", "080140")),
        ("excel", ("46127", "0.33449")),
        ("excel", ("46127.0", ".33449")),
        ("%d.%m.%Y", ("2026-04-15T00:00:00", "08:01:40")),
    ],
)
def test_date_and_time_may_stand_in_two_columns(form: str, pair: tuple[str, str]) -> None:
    assert reader(form).read(pair) == datetime(2026, 4, 15, 0, 1, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "cell", "reason"),
    [
        ("%Y-%m-%d %H:%M:%S", "", "is missing"),
        ("%Y-%m-%d %H:%M:%S", "2026-02-30 08:00:00", "is not a time in the form %Y-%m-%d %H:%M:%S"),
        ("%Y-%m-%d %H:%M:%S", "2026-04-15", "is not a time"),
        ("%Y-%m-%d %H:%M:%S", "0001-01-01 00:00:00", "is not a time"),
        ("%Y-%m-%d %H:%M:%S", "1900-01-01 00:00:00", "is not a time"),
        ("%Y-%m-%d %H:%M:%S", "46127.33449", "is not a time"),
        ("%Y%m%d%H%M%S", "2026415080140", "is not a time"),
        ("rfc3339", "2026-04-15 08:00:00", "is not a time in the form RFC 3339"),
        ("rfc3339", "2026-13-15T08:00:00Z", "is not a time"),
        ("rfc3339", "0001-01-01T08:00:00+08:00", "is not a time"),
        ("rfc3339", "9999-12-31T23:59:59Z", "is not a time"),
        ("excel", "0001-01-01T08:00:00", "is not a time"),
        ("excel", "9999-12-31T08:00", "is not a time"),
        ("excel", "0.33449", "is not a time in the form of Excel's serial days"),
        ("excel", "4.6127E+4", "is not a time"),
        ("excel", "999999", "is not a time"),
        ("%Y-%m-%d %H:%M:%S", ("2026-04-15", ""), "is missing"),
        ("%Y-%m-%d %H:%M:%S", ("", "08:00:00"), "is missing"),
        ("%Y-%m-%d %H:%M:%S", ("2026-04-15", "8"), "is not a time"),
        ("%Y-%m-%d %H:%M:%S", ("", ""), "is missing"),
    ],
)
def test_what_is_not_a_time_in_a_form_of_the_mapping_is_bad(
    form: str, cell: str | tuple[str, str], reason: str
) -> None:
    with pytest.raises(BadCellError, match=reason):
        reader(form).read(cell)


def test_every_second_of_an_excel_day_comes_out_exactly() -> None:
    """Five decimals, as a till writes them, are finer than a second; so are the 15 digits that Excel keeps."""
    midnight = datetime(2026, 4, 14, 16, tzinfo=UTC)
    of = reader("excel")
    for second in range(0, 86_400, 7):
        wanted = midnight + timedelta(seconds=second)
        for decimals in (5, 10):
            part = f"{round(second * 10**decimals / 86_400):0{decimals}d}"
            assert of.read(f"46127.{part}") == wanted


def test_a_time_that_the_clocks_skip_does_not_exist() -> None:
    with pytest.raises(BadCellError, match=r"does not exist in Europe/London: the clocks were put forward") as caught:
        reader("%Y-%m-%d %H:%M", zone="Europe/London").read("2026-03-29 01:30")
    assert caught.value.local == datetime(2026, 3, 29, 1, 30)  # noqa: DTZ001
    assert reader("%Y-%m-%d %H:%M", zone="Europe/London").read("2026-03-29 02:00") == datetime(
        2026, 3, 29, 1, tzinfo=UTC
    )


def test_a_time_that_exists_twice_has_both_moments() -> None:
    found = reader("%Y-%m-%d %H:%M", zone="Europe/London").read("2025-10-26 01:50")
    assert isinstance(found, TwoTimes)
    assert (found.first, found.second) == (
        datetime(2025, 10, 26, 0, 50, tzinfo=UTC),
        datetime(2025, 10, 26, 1, 50, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "zone", ["Europe/London", "America/New_York", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe"]
)
def test_each_half_hour_of_a_year_agrees_with_the_zone(zone: str) -> None:
    """Days without a change are read by adding to their midnight; compare each with the zone itself."""
    of, tz = reader("%Y-%m-%d %H:%M", zone=zone), ZoneInfo(zone)
    local, skipped, twice = datetime(2025, 1, 1), 0, 0  # noqa: DTZ001
    while local.year == 2025:
        first, second = (local.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1))
        try:
            found = of.read(f"{local:%Y-%m-%d %H:%M}")
        except BadCellError:
            assert first.astimezone(tz).replace(tzinfo=None) != local
            skipped += 1
        else:
            assert found == first if first == second else isinstance(found, TwoTimes)
            twice += isinstance(found, TwoTimes)
        local += timedelta(minutes=30)
    assert skipped == twice == (1 if zone == "Australia/Lord_Howe" else 2)


# --- what the order of the file tells


def two(text: str) -> TwoTimes:
    found = reader("%Y-%m-%d %H:%M", zone="Europe/London").read(f"2025-10-26 {text}")
    assert isinstance(found, TwoTimes)
    return found


def hours(*clocks: str, before: str | None = None, after: str | None = None) -> list[int | None]:
    """Which hour (1 or 2) each row is found to be of; None if the order does not tell."""
    of = reader("%Y-%m-%d %H:%M", zone="Europe/London")
    order: FileOrder[str] = FileOrder()
    if before is not None:
        order.pass_by(["A"], [of.read(f"2025-10-26 {before}")])  # type: ignore[list-item]
    for clock in clocks:
        order.wait("A", clock, two(clock))
    assert order.is_undecided(["B", "A"])
    assert not order.is_undecided(["B"])
    sure = of.read(f"2025-10-26 {after}") if after else None
    decided = order.rest() if sure is None else order.decide("A", sure)  # type: ignore[arg-type]
    assert [row for row, _, _ in decided] == list(clocks)
    return [time and (1 if time == times.first else 2) for _, times, time in decided]


def test_rows_after_a_step_back_are_of_the_second_hour() -> None:
    assert hours("01:50", "01:10") == [1, 2]
    assert hours("01:05", "01:50", "01:50", "01:10", "01:55", before="00:59", after="02:00") == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("clocks", "around"),
    [
        (["01:10", "01:50"], {}),
        (["01:50"], {"before": "00:30", "after": "02:30"}),
        (["01:50", "01:48"], {}),
        (["01:50", "01:10", "01:50", "01:10"], {}),
        (["01:50", "01:10"], {"before": "02:30"}),
        (["01:50", "01:10"], {"after": "00:30"}),
    ],
    ids=["no step", "one row", "a little out of order", "two steps", "newest first", "newest first after"],
)
def test_rows_whose_order_does_not_tell_stay_unsure(clocks: list[str], around: dict[str, str]) -> None:
    assert hours(*clocks, **around) == [None] * len(clocks)


def test_each_till_has_its_own_order() -> None:
    order: FileOrder[str] = FileOrder()
    for till, clock in [("A", "01:50"), ("B", "01:10"), ("A", "01:05"), ("B", "01:40")]:
        order.wait(till, clock, two(clock))
    found = {till: [time for _, _, time in order.decide(till, None)] for till in "AB"}
    assert found["A"] == [two("01:50").first, two("01:05").second]
    assert found["B"] == [None, None]
