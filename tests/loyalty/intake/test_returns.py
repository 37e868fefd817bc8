"""A return takes back what its sale earned, exactly, whenever it comes."""

from __future__ import annotations

from loyalty.network.models import Wish
from tests.loyalty.earning.programmes import rule, rule_set
from tests.loyalty.intake.shop import Shop, done, fuel, goods, points, refused

FULL = (1, 40_000, 320_000_000)
HALF = (1, 20_000, 160_000_000)


def wishes_back(shop: Shop) -> list[Wish]:
    with shop.api.database.reading() as session:
        return [wish for wish in session.query(Wish).order_by(Wish.id) if wish.kind == "reverse"]


def test_a_return_takes_back_pro_rata(shop: Shop) -> None:
    sale = shop.sell(fuel(40), goods("snack", 1_250), customer=shop.customer())
    done(shop.give_back(sale, HALF, number="R1"))
    (wish,) = wishes_back(shop)
    assert (wish.reference, wish.points) == ("return:S17:20260707:1:R1:litre", 100)
    done(shop.give_back(sale, HALF, (2, 1_000, 12_500_000)))
    assert {award["rule"]: award["taken_back"] for award in shop.seen(sale)["awards"]} == {"yuan": 12, "litre": 200}
    assert sum(wish.points for wish in wishes_back(shop)) == 212


def test_a_return_that_is_sent_again_takes_back_once(shop: Shop) -> None:
    sale = shop.sell(fuel(40), customer=shop.customer())
    first = done(shop.give_back(sale, HALF, number="R1"))
    assert done(shop.give_back(sale, HALF, number="R1")) == first
    refused(shop.give_back(sale, FULL, number="R1"), 409, "document_differs")
    assert [wish.points for wish in wishes_back(shop)] == [100]


def test_a_return_that_comes_first_waits_for_its_sale(shop: Shop) -> None:
    body = shop.sale(fuel(40), customer=shop.customer())
    waiting = done(shop.give_back(body, HALF))
    assert (waiting["sale"], waiting["problem"]) == (None, None)
    assert [one["id"] for one in done(shop.api.get("/v1/returns"))["data"]] == [waiting["id"]]
    sale = done(shop.send(body))
    assert [award["taken_back"] for award in sale["awards"]] == [100]
    assert [one["sale"] for one in sale["returns"]] == [sale["id"]]
    assert done(shop.api.get("/v1/returns"))["data"] == []


def test_a_return_that_came_first_and_is_wrong_does_not_hold_its_sale_up(shop: Shop) -> None:
    body = shop.sale(fuel(40), customer=shop.customer())
    done(shop.give_back(body, (1, 50_000, 1)))
    done(shop.give_back(body, HALF))
    sale = done(shop.send(body))
    assert [award["taken_back"] for award in sale["awards"]] == [100]
    (wrong,) = done(shop.api.get("/v1/returns"))["data"]
    assert "at most what was sold" in wrong["problem"]


def test_more_than_was_sold_does_not_come_back(shop: Shop) -> None:
    sale = shop.sell(fuel(40), customer=shop.customer())
    done(shop.give_back(sale, HALF))
    assert "at most what was sold" in refused(shop.give_back(sale, FULL), 422, "bad_document")
    refused(shop.give_back(sale, (2, 1, 1)), 422, "bad_document")
    refused(shop.give_back(sale, HALF, station="S18"), 404, "unknown_station", "/station")
    assert [wish.points for wish in wishes_back(shop)] == [100]


def test_a_return_gives_back_to_the_budget_and_to_the_remainder(shop: Shop) -> None:
    effect = {"kind": "per_yuan", "points": 1}
    shop.publish(rule_set(rule("yuan", effect, budget={"points_per_month": 12}, carry=True), version=2))
    customer = shop.customer()
    first = shop.sell(goods("snack", 1_050), customer=customer)
    assert points(first) == {"yuan": 10}
    done(shop.give_back(first, (1, 1_000, 10_500_000)))
    assert points(shop.sell(goods("snack", 1_150), customer=customer)) == {"yuan": 11}


def test_a_return_of_a_sale_to_nobody_is_kept(shop: Shop) -> None:
    sale = shop.sell(fuel(40))
    returned = done(shop.give_back(sale, HALF))
    assert returned["sale"] == sale["id"]
    assert wishes_back(shop) == []
