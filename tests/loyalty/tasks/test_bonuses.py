"""Bonuses of tasks: given once, taken back with the sale that earned them, within their budget."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from loyalty.kit.errors import Malformed
from loyalty.network.models import WishState
from loyalty.staff.models import Role
from loyalty.tasks.service import TaskPlanService, TaskService
from tests.loyalty.intake.shop import Shop, done, fuel, goods, refused
from tests.loyalty.tasks.written import BREADTH, FORTY_LITRES, HUNDRED_LITRES, THREE_DAYS, plain


def publish(shop: Shop, task: dict[str, Any], program: str = "FUEL") -> dict[str, Any]:
    draft = done(shop.api.post("/v1/tasks", {"program": program, "task": task}, Role.MARKETING))
    return done(shop.api.post(f"/v1/tasks/{draft['id']}/publish", {"reason": "a test"}))


def sell(shop: Shop, customer: str, day: int, *lines: dict[str, Any]) -> dict[str, Any]:
    date = f"2026-07-{day:02}"
    return shop.sell(*lines, customer=customer, business_day=date, time=f"{date}T12:00:00+08:00")


def bonuses(shop: Shop, customer: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = done(shop.api.get(f"/v1/customers/{customer}/bonuses"))["data"]
    return found[::-1]


def held(shop: Shop, customer: str) -> list[str]:
    return [one["key"] for one in bonuses(shop, customer) if one["revoked_at"] is None]


def test_three_days_running_are_rewarded_once(shop: Shop) -> None:
    publish(shop, THREE_DAYS)
    chen = shop.customer()
    for day in (3, 1):
        sell(shop, chen, day)
    assert bonuses(shop, chen) == []
    sell(shop, chen, 2)
    sell(shop, chen, 2)
    (bonus,) = bonuses(shop, chen)
    assert (bonus["points"], bonus["key"], bonus["cause"]) == (100, "three-days:once:0:3", "task")
    assert bonus["reason"] == {"en": "three-days: 3 reached", "zh": "three-days：已达到 3"}
    wish = shop.wish(bonus["reference"])
    assert wish is not None
    assert (wish.points, wish.program, wish.member) == (100, "FUEL", f"external:{chen}")
    assert wish.facts["task"] == "three-days"


def test_a_return_takes_the_bonus_back_and_another_day_gives_it_again(shop: Shop) -> None:
    publish(shop, THREE_DAYS)
    chen = shop.customer()
    sell(shop, chen, 1)
    middle = sell(shop, chen, 2)
    sell(shop, chen, 3)
    done(shop.give_back(middle, (1, 20_000, 0)))
    assert held(shop, chen) == ["three-days:once:0:3"], "half of the fuel is still a visit"
    returned = done(shop.give_back(middle, (1, 20_000, 0)))
    (bonus,) = bonuses(shop, chen)
    assert bonus["revoked_for"] == returned["id"]
    wish = shop.wish(bonus["revoked_by"])
    assert wish is not None
    assert (wish.points, wish.state) == (100, WishState.WAITING)
    sell(shop, chen, 2)
    assert [one["revoked_at"] is None for one in bonuses(shop, chen)] == [False, True]


def test_a_return_of_what_did_not_matter_takes_nothing(shop: Shop) -> None:
    publish(shop, FORTY_LITRES)
    chen = shop.customer()
    sold = sell(shop, chen, 1, fuel(40), goods("snack", 900))
    done(shop.give_back(sold, (2, 1_000, 0)))
    assert held(shop, chen) == ["forty-litres:2026-07:0:1"]


def test_stages_are_given_one_after_the_other_and_go_from_the_last(shop: Shop) -> None:
    publish(shop, BREADTH)
    chen = shop.customer()
    sell(shop, chen, 1, fuel(10), goods("wash", 3_000))
    last = sell(shop, chen, 2, goods("coffee", 1_800))
    assert held(shop, chen) == ["new-tastes:once:0:2", "new-tastes:once:0:3"]
    done(shop.give_back(last, (1, 1_000, 0)))
    assert held(shop, chen) == ["new-tastes:once:0:2"]


def test_several_tasks_run_beside_each_other(shop: Shop) -> None:
    publish(shop, FORTY_LITRES)
    publish(shop, HUNDRED_LITRES)
    chen = shop.customer()
    sell(shop, chen, 1, fuel(60))
    assert sorted(held(shop, chen)) == ["forty-litres:2026-07:0:1", "hundred-litres:once:0:50"]


def test_each_customer_has_their_own(shop: Shop) -> None:
    publish(shop, THREE_DAYS)
    chen, li = shop.customer(), shop.customer()
    for who, day in ((chen, 1), (li, 2), (chen, 3)):
        sell(shop, who, day)
    assert bonuses(shop, chen) == bonuses(shop, li) == []


def test_only_some_tiers_may_take_part(shop: Shop) -> None:
    publish(shop, FORTY_LITRES | {"tiers": ["gold"]})
    chen = shop.customer()
    sell(shop, chen, 1, fuel(40))
    assert bonuses(shop, chen) == []


def test_a_new_version_takes_nothing_that_the_old_one_gave(shop: Shop) -> None:
    publish(shop, THREE_DAYS)
    chen = shop.customer()
    sales = [sell(shop, chen, day) for day in (1, 2, 3)]
    publish(shop, THREE_DAYS | {"version": 2, "stages": [{"at": 5, "points": 500}]})
    sell(shop, chen, 4)
    assert held(shop, chen) == ["three-days:once:0:3"]
    sell(shop, chen, 5)
    assert held(shop, chen) == ["three-days:once:0:3", "three-days:once:0:5"]
    done(shop.give_back(sales[0], (1, 40_000, 0)))
    assert held(shop, chen) == ["three-days:once:0:3"], "2, 3 and 4 are three days; 2 to 5 are not five"


def test_a_budget_is_never_exceeded_and_gets_back_what_is_taken_back(shop: Shop) -> None:
    publish(shop, FORTY_LITRES | {"budget": {"points_in_all": 120}})
    customers = [shop.customer() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        sales = list(pool.map(lambda one: sell(shop, one, 1, fuel(40)), customers))
    given = [one for one in customers if held(shop, one)]
    assert len(given) == 2
    done(shop.give_back(sales[customers.index(given[0])], (1, 40_000, 0)))
    waiting = next(one for one in customers if not bonuses(shop, one))
    sell(shop, waiting, 2, fuel(1))
    assert held(shop, waiting) == ["forty-litres:2026-07:0:1"], "what did not fit may fit later"


def test_the_customer_sees_how_far_they_have_come(shop: Shop) -> None:
    never = plain("never", {"kind": "visits"}, (1, 1), effective={"from": "2020-01-01", "until": "2020-12-31"})
    year = plain("ten-visits", {"kind": "visits"}, (2, 5), (10, 50), description={"en": "Ten visits", "zh": "十次"})
    publish(shop, never)
    publish(shop, year)
    chen = shop.customer()
    for day in (1, 2, 3):
        sell(shop, chen, day)
    (seen,) = done_list(shop.api.get(f"/v1/customers/{chen}/tasks"))
    assert (seen["id"], seen["description"]["zh"], seen["is_open"], seen["last_day"]) == (
        "ten-visits",
        "十次",
        True,
        None,
    )
    assert seen["progress"] == {"times": 0, "value": 3, "missing": 7}
    assert [one["key"] for one in seen["bonuses"]] == ["ten-visits:once:0:2"]


def done_list(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def test_a_wrong_task_is_refused_with_its_place(shop: Shop) -> None:
    wrong = THREE_DAYS | {"stages": [{"at": 3, "points": 0}]}
    answer = shop.api.post("/v1/tasks", {"program": "FUEL", "task": wrong}, Role.MARKETING)
    refused(answer, 422, "bad_task", "/task/stages/0/points")
    refused(shop.api.get("/v1/customers/cus_x/tasks"), 404, "unknown_customer")
    refused(shop.api.post("/v1/tasks/tsk_x/publish", {"reason": "a test"}), 404, "unknown_task")


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_a_sale_of_nobody_has_no_bonus(shop: Shop) -> None:
    publish(shop, FORTY_LITRES)
    assert shop.sell(fuel(40))["outcome"] == "nobody"


def test_customers_are_counted_by_how_far_they_have_come(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    published = publish(shop, BREADTH | {"budget": {"points_in_all": 500}})
    both, one, returned, none = (shop.customer() for _ in range(4))
    sell(shop, both, 1, fuel(10), goods("wash", 3_000))
    for category in ("wash", "coffee"):
        sell(shop, one, 1, fuel(10), goods(category, 1_000))
    sell(shop, none, 2, goods("coffee", 1_800))
    back = sell(shop, returned, 2, fuel(10), goods("wash", 3_000))
    done(shop.give_back(back, (1, 10_000, 0), (2, 1_000, 0)))
    with shop.api.database.reading() as session:
        service = TaskService(session)
        kept = TaskPlanService(session).get(published["id"])
        count, tally = service.count(kept), service.tally(kept)
        assert (count.finished, count.on_the_way, count.reached) == (1, 2, {0: 1, 2: 1})
        assert (tally.finished, tally.now.customers, tally.now.bonuses, tally.now.points) == (1, 2, 3, 120)
        assert tally.budgets == [("all", 120, 500)]
        monkeypatch.setattr("loyalty.tasks.service.MOST_SALES", 2)
        with pytest.raises(Malformed, match="5 sales"):
            service.count(kept)
