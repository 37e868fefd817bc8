"""A fill becomes one sale of whom a plate or a card has found, whatever devices post, how often and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies
from hypothesis import given as drawn
from sqlalchemy import update

from loyalty.fills.models import DeviceEvent
from loyalty.jobs import work
from loyalty.jobs.work import close_fills
from loyalty.kit.settings import Settings
from loyalty.network.models import Wish
from loyalty.staff.models import Role
from tests.loyalty.fills.forecourt import Forecourt, Thing, given
from tests.loyalty.intake.shop import DAY, done, points, refused
from tests.support.nightly import by_day


def left(forecourt: Forecourt, customer: str) -> int:
    """The points that a customer has when all wishes are carried out."""
    with forecourt.shop.api.database.reading() as session:
        wishes = session.query(Wish).filter(Wish.member == f"external:{customer}").all()
    return sum(wish.points if wish.kind == "issue" else -wish.points for wish in wishes)


def test_a_plate_and_a_pump_make_a_sale_without_a_step_of_the_customer(forecourt: Forecourt) -> None:
    customer, pump, camera = forecourt.customer(), forecourt.pump(), forecourt.add("plate_camera")
    camera.saw("plate_seen", 0, point="P3", plate="京a 12345")
    pump.saw("started", 1, fill="118")
    pump.saw("progress", 2, fill="118", **given(20_000))
    (fill,) = forecourt.fills(state="running")
    assert (fill["customer"], fill["total"]["quantity_milli"], fill["sale"]) == (customer, 20_000, None)
    assert forecourt.sales() == []
    pump.saw("done", 4, fill="118", **given())
    (fill,) = forecourt.fills(state="done")
    (sale,) = forecourt.sales()
    assert (fill["sale"], fill["problem"], sale["customer"]) == (sale["id"], None, customer)
    assert (sale["till"], sale["number"], sale["business_day"]) == ("P3", "118", DAY)
    assert points(sale) == {"litre": 191}
    (device,) = done(forecourt.shop.api.get("/v1/devices", kind="pump"))["data"]
    assert device["last_seen_at"] is not None


def test_a_fill_of_nobody_is_kept(forecourt: Forecourt) -> None:
    forecourt.pump().saw("done", 4, fill="1", **given())
    (sale,) = forecourt.sales()
    assert (sale["outcome"], sale["customer"]) == ("nobody", None)


def test_what_was_shown_by_a_stranger_is_kept(forecourt: Forecourt) -> None:
    pump = forecourt.pump()
    pump.saw("card_shown", 1, card="9999 0000")
    pump.saw("done", 4, fill="1", **given())
    (sale,) = forecourt.sales()
    assert (sale["outcome"], sale["shown"]) == ("nobody", "card:9999 0000")


def test_a_known_plate_stands_with_the_customer_only(forecourt: Forecourt) -> None:
    customer, camera = forecourt.customer(), forecourt.add("plate_camera", "P3")
    forecourt.pump()
    seen = camera.saw("plate_seen", 0, plate="京A12345")
    assert (seen["customer"], "plate" in seen["content"]) == (customer, False)


def test_a_wash_bay_makes_a_sale_too(forecourt: Forecourt) -> None:
    bay = forecourt.add("wash_bay", "W1", category="wash")
    bay.saw("started", 1, fill="7")
    wash = {"article": "foam", "unit": "piece", "quantity_milli": 1_000, "amount_micros": 30_000_000}
    bay.saw("done", 9, fill="7", **wash)
    (sale,) = forecourt.sales()
    assert [line["category"] for line in sale["lines"]] == ["wash"]


def test_nothing_given_out_is_no_sale(forecourt: Forecourt) -> None:
    pump = forecourt.pump()
    pump.saw("done", 4, fill="1", **given(0))
    assert forecourt.sales() == []
    (fill,) = forecourt.fills()
    assert (fill["state"], fill["problem"]) == ("done", None)


def story(pump: Thing, camera: Thing) -> list[tuple[Thing, dict[str, Any]]]:
    return [
        (camera, camera.event("plate_seen", 0, point=pump.point, plate=f"京B{pump.point}01")),
        (pump, pump.event("started", 1, fill="1")),
        (pump, pump.event("progress", 2, fill="1", **given(20_000))),
        (pump, pump.event("progress", 3, fill="1", **given(38_000))),
        (pump, pump.event("done", 4, fill="1", **given(38_200))),
        (pump, pump.event("card_shown", 5, card=f"NEXT{pump.point}")),
        (pump, pump.event("started", 6, fill="2")),
        (pump, pump.event("done", 8, fill="2", **given(10_000))),
    ]


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_every_order_and_every_repetition_gives_the_same_sales(forecourt: Forecourt) -> None:
    """Two fills, one after the other: who was seen by the camera has the first, who showed the card has the second."""
    camera = forecourt.add("plate_camera")
    runs = iter(range(1_000, 9_999))

    @drawn(strategies.lists(strategies.integers(0, 7), max_size=8), strategies.permutations(range(8)))
    @settings(max_examples=by_day(10, at_night=200), deadline=None, suppress_health_check=list(HealthCheck))
    def posted(early: Sequence[int], order: Sequence[int]) -> None:
        pump = forecourt.pump(f"P{next(runs)}")
        first, second = forecourt.customer(f"京B{pump.point}01"), forecourt.shop.customer(f"NEXT{pump.point}")
        events = story(pump, camera)
        for at in [*early, *order]:
            thing, event = events[at]
            done(thing.post(event))
        sales = {sale["customer"]: sale for sale in forecourt.sales() if sale["till"] == pump.point}
        assert {one: points(sale) for one, sale in sales.items()} == {first: {"litre": 191}, second: {"litre": 50}}
        assert sales[first]["time"] < sales[second]["time"]
        assert (left(forecourt, first), left(forecourt, second)) == (191, 50)
        assert [fill["problem"] for fill in forecourt.fills() if fill["point"] == pump.point] == [None, None]

    posted()


def test_an_event_that_is_posted_five_times_counts_once(forecourt: Forecourt) -> None:
    customer, pump = forecourt.shop.customer("CARD 0001"), forecourt.pump()
    pump.saw("card_shown", 1, card="card0001")
    event = pump.event("done", 4, fill="1", **given())
    with ThreadPoolExecutor(4) as threads:
        answers = [done(answer) for answer in threads.map(lambda _: pump.post(event), range(5))]
    assert len({answer["id"] for answer in answers}) == 1
    assert left(forecourt, customer) == 191
    refused(pump.post(event | {"quantity_milli": 1}), 409, "event_differs", "/number")


def test_a_plate_is_used_for_one_fill(forecourt: Forecourt) -> None:
    customer, pump, camera = forecourt.customer(), forecourt.pump(), forecourt.add("plate_camera", "P3")
    camera.saw("plate_seen", 0, plate="京A12345")
    pump.saw("started", 1, fill="1")
    pump.saw("done", 3, fill="1", **given())
    pump.saw("started", 4, fill="2")
    pump.saw("done", 6, fill="2", **given())
    assert [sale["customer"] for sale in forecourt.sales()] == [customer, None]


def test_a_plate_that_was_seen_too_long_ago_finds_nobody(forecourt: Forecourt) -> None:
    forecourt.customer()
    pump, camera = forecourt.pump(), forecourt.add("plate_camera", "P3")
    camera.saw("plate_seen", 0, plate="京A12345")
    pump.saw("started", 11, fill="1")
    pump.saw("done", 12, fill="1", **given())
    assert [sale["customer"] for sale in forecourt.sales()] == [None]


def close(forecourt: Forecourt) -> int:
    return close_fills(Settings(database_url=forecourt.shop.api.database.url))


def posted_just_now(pump: Thing, kind: str, ago: timedelta, **more: Any) -> None:
    """What a pump saw so long ago: the job that closes fills goes by the real time."""
    clock = pump.forecourt.shop.api.database.clock
    event = pump.event(kind, 0, **more) | {"time": (clock.now() - ago).isoformat()}
    done(pump.post(event))


def test_a_fill_whose_end_never_comes_is_closed_and_a_late_end_corrects_it(forecourt: Forecourt) -> None:
    customer, pump = forecourt.shop.customer("CARD 0001"), forecourt.pump()
    posted_just_now(pump, "card_shown", timedelta(minutes=31), card="card0001")
    posted_just_now(pump, "started", timedelta(minutes=30), fill="1")
    posted_just_now(pump, "progress", timedelta(minutes=29), fill="1", **given(20_000))
    posted_just_now(pump, "progress", timedelta(minutes=2), fill="2", **given(1_000))
    assert close(forecourt) == 1
    assert close(forecourt) == 0
    (fill,) = forecourt.fills(state="closed")
    (sale,) = forecourt.sales()
    assert (fill["number"], fill["sale"], sale["customer"]) == ("1", sale["id"], customer)
    assert sale["lines"][0]["quantity_milli"] == 20_000
    assert left(forecourt, customer) == points(sale).get("litre", 0)
    posted_just_now(pump, "done", timedelta(minutes=27), fill="1", **given(38_200))
    (fill,) = forecourt.fills(state="done")
    (right,) = forecourt.sales()
    assert (fill["sale"], fill["corrections"], right["number"]) == (right["id"], 1, "1-2")
    assert left(forecourt, customer) == points(right).get("litre", 0)


def test_a_late_word_that_nothing_was_given_out_is_shown_to_the_staff(forecourt: Forecourt) -> None:
    pump = forecourt.pump()
    pump.saw("done", 4, fill="1", **given())
    pump.saw("done", 5, fill="1", **given(0))
    (fill,) = forecourt.fills(problem="true")
    assert "book a return" in fill["problem"]
    assert len(forecourt.sales()) == 1


def test_a_number_that_a_till_has_used_is_shown_to_the_staff(forecourt: Forecourt) -> None:
    shop = forecourt.shop
    shop.sell(till="P3", number="1")
    forecourt.pump().saw("done", 4, fill="1", **given())
    (fill,) = forecourt.fills(problem="true")
    assert "S17:20260707:P3:1" in fill["problem"]
    assert fill["sale"] is None


# -------------------------------------------------------------------- devices


def test_a_revoked_device_posts_nothing_and_frees_its_point(forecourt: Forecourt) -> None:
    pump, api = forecourt.pump(), forecourt.shop.api
    new = {"station": "S17", "name": "another", "kind": "pump", "point": "P3"}
    refused(api.post("/v1/devices", new), 409, "point_taken", "/point")
    pump.saw("progress", 1, fill="1", **given())
    revoked = done(api.post(f"/v1/devices/{pump.id}/revoke", {"reason": "it was replaced"}))
    assert done(api.post(f"/v1/devices/{pump.id}/revoke", {"reason": "once more"})) == revoked
    refused(pump.post(pump.event("started", 1, fill="2")), 401, "unauthenticated")
    done(api.post("/v1/devices", new))
    assert close(forecourt) == 1, "what it had begun is closed all the same"
    log = done(api.get("/v1/audit-log", subject=pump.id))["data"]
    assert [entry["action"] for entry in log] == ["device.revoked", "device.added"]


def test_a_secret_is_shown_once(forecourt: Forecourt) -> None:
    new = {"station": "S17", "name": "a camera", "kind": "plate_camera"}
    first, again = (forecourt.shop.api.post("/v1/devices", new, key="same") for _ in range(2))
    assert done(again) == done(first) | {"secret": None}


def test_a_device_sends_sales_of_its_own_station_only(forecourt: Forecourt) -> None:
    till, shop = forecourt.add("till"), forecourt.shop
    done(shop.api.post("/v1/stations", {"id": "S18", "name": "another"}))
    headers = {"Authorization": f"Bearer {till.secret}"}
    own = shop.api.http.post("/v1/sales", json=shop.sale(), headers=headers | {"Idempotency-Key": "1"})
    assert done(own)["outcome"] == "nobody"
    other = shop.api.http.post("/v1/sales", json=shop.sale(station="S18"), headers=headers | {"Idempotency-Key": "2"})
    refused(other, 422, "other_station", "/station")


def test_a_key_of_a_device_is_made_with_the_device(forecourt: Forecourt) -> None:
    api = forecourt.shop.api
    refused(api.post("/v1/keys", {"name": "a pump", "role": "device"}), 422, "key_of_device", "/role")
    event = {"number": "1", "kind": "started", "time": f"{DAY}T12:00:00+08:00", "fill": "1"}
    refused(api.post("/v1/devices/events", event, Role.DEVICE), 403, "no_device")
    shop = forecourt.shop
    for path, body in (("/v1/sales", shop.sale()), ("/v1/sales/bulk", {"sales": [shop.sale()]})):
        refused(api.post(path, body, Role.DEVICE), 403, "no_device")
    refused(shop.give_back(shop.sell(), (1, 40_000, 320_000_000), role=Role.DEVICE), 403, "no_device")


def test_a_new_key_takes_the_place_of_the_old_one_at_once(forecourt: Forecourt) -> None:
    pump, api = forecourt.pump(), forecourt.shop.api
    pump.saw("progress", 1, fill="1", **given())
    path = f"/v1/devices/{pump.id}/rotate-key"
    refused(api.post(path, {"reason": "x"}), 422, "validation_failed", "/reason")
    made = done(api.post(path, {"reason": "it was seen"}, key="once"))
    assert done(api.post(path, {"reason": "it was seen"}, key="once")) == made | {"secret": None}
    refused(pump.post(pump.event("progress", 2, fill="1", **given())), 401, "unauthenticated")
    again = replace(pump, secret=made["secret"])
    again.saw("done", 3, fill="1", **given())
    (fill,) = done(api.get("/v1/fills"))["data"]
    assert (fill["device"], fill["state"]) == (pump.id, "done"), "it is the same device"
    log = done(api.get("/v1/audit-log", subject=pump.id))["data"]
    assert [entry["action"] for entry in log] == ["device.key_rotated", "device.added"]
    assert log[0]["after"] == {"key": made["key"]}
    done(api.post(f"/v1/devices/{pump.id}/revoke", {"reason": "it was stolen"}))
    refused(api.post(path, {"reason": "it was seen"}), 409, "device_revoked")
    refused(again.post(again.event("started", 4, fill="2")), 401, "unauthenticated")


def test_what_pumps_said_on_the_way_is_forgotten_and_what_they_gave_out_is_not(forecourt: Forecourt) -> None:
    pump, database = forecourt.pump(), forecourt.shop.api.database
    pump.saw("started", 1, fill="1")
    pump.saw("progress", 2, fill="1", **given())
    settings = Settings(database_url=database.url, progress_days=7)

    def kinds() -> list[str]:
        return [one["kind"] for one in done(forecourt.shop.api.get("/v1/devices/events"))["data"]]

    work.clean_up(settings)
    assert kinds() == ["progress", "started"], "they are of today"
    with database.session.begin() as session:
        session.execute(update(DeviceEvent).values(received_at=database.clock.now() - timedelta(8)))
    work.clean_up(settings)
    assert kinds() == ["started"]
    pump.saw("done", 3, fill="1", **given())
    (fill,) = done(forecourt.shop.api.get("/v1/fills"))["data"]
    assert fill["state"] == "done"


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"kind": "plate_seen", "plate": "京A12345"}, "wrong_device", "/kind"),
        ({"fill": None}, "field_missing", "/fill"),
        ({"amount_micros": None}, "field_missing", "/amount_micros"),
        ({"card": "12345"}, "field_unknown", "/card"),
        ({"fill": "1-2"}, "validation_failed", "/fill"),
        ({"quantity_milli": 1.5}, "validation_failed", "/quantity_milli"),
        ({"unit": "gallon"}, "validation_failed", "/unit"),
        ({"time": f"{DAY}T12:00:00"}, "validation_failed", "/time"),
        ({"time": "2099-01-01T12:00:00+08:00"}, "time_ahead", "/time"),
        ({"kind": "card_shown", "card": "1"}, "field_unknown", "/amount_micros"),
        ({"colour": "red"}, "validation_failed", "/colour"),
    ],
)
def test_what_is_wrong_with_an_event_is_told(forecourt: Forecourt, change: Any, code: str, pointer: str) -> None:
    pump = forecourt.pump()
    refused(pump.post(pump.event("done", 4, fill="1", **given()) | change), 422, code, pointer)
    assert (forecourt.fills(), forecourt.sales()) == ([], [])


def test_who_was_seen_where_there_is_nothing_is_told(forecourt: Forecourt) -> None:
    camera = forecourt.add("plate_camera")
    refused(camera.post(camera.event("plate_seen", 0, plate="京A12345")), 422, "field_missing", "/point")
    refused(camera.post(camera.event("plate_seen", 0, plate="京A12345", point="P9")), 422, "unknown_point", "/point")
    forecourt.pump()
    refused(camera.post(camera.event("plate_seen", 0, plate="?", point="P3")), 422, "bad_identifier", "/plate")
    new = {"station": "S17", "name": "a pump", "kind": "pump"}
    refused(forecourt.shop.api.post("/v1/devices", new), 422, "point_missing", "/point")
    refused(forecourt.shop.api.post("/v1/devices", new | {"station": "S99"}), 404, "unknown_station", "/station")


def test_lists_have_filters_and_pages(forecourt: Forecourt) -> None:
    pump, bay = forecourt.pump(), forecourt.add("wash_bay", "W1")
    for fill in "123":
        pump.saw("started", 1, fill=fill)
    bay.saw("started", 1, fill="1")
    api = forecourt.shop.api
    assert [one["number"] for one in forecourt.fills(device=pump.id)] == ["3", "2", "1"]
    page = done(api.get("/v1/fills", limit=3))
    assert [one["number"] for one in done(api.get("/v1/fills", cursor=page["next_cursor"]))["data"]] == ["1"]
    assert len(done(api.get("/v1/devices/events", device=pump.id, kind="started"))["data"]) == 3
    assert len(done(api.get("/v1/devices", station="S17"))["data"]) == 2
    fill = forecourt.fills(device=bay.id)[0]
    assert done(api.get(f"/v1/fills/{fill['id']}")) == fill
    assert datetime.fromisoformat(fill["ends_at"]) - datetime.fromisoformat(fill["last_at"]) == timedelta(minutes=15)
    refused(api.get("/v1/fills/fil_x"), 404, "unknown_fill")
