"""Every form of the staff, sent once well and once badly: what is wrong stands beside its field, and what was typed stays."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from loyalty.awards.models import BookedAward
from loyalty.earning.rule_sets import write_rule_set
from loyalty.http.rules import LARGEST_TILL_FILE
from loyalty.mqtt.service import DeviceMessageService
from loyalty.network.differences import DifferenceService
from loyalty.network.models import Wish, WishState
from loyalty.network.wishes import IssueWish, WishService, refuse
from loyalty.pages.rules import PAGE_RULES
from loyalty.people.service import PeopleService
from loyalty.sales.models import Outcome, RecordedSale
from loyalty.staff.models import Role
from loyalty.staff.service import KeyService
from tests.loyalty.earning.programmes import rule, rule_set
from tests.loyalty.fills.forecourt import Forecourt
from tests.loyalty.intake.shop import fuel
from tests.loyalty.messages.receivers import channels_file
from tests.loyalty.pages.site import CANDIDATE, GIFTS, OTHER_CARD, THREE_DAYS, TIERS, Site, add_plan, till_file, told
from tests.loyalty.people.team import NAMES, PASSWORD, Browser, text_of
from tests.loyalty.referrals import written as referrals
from tests.loyalty.till_files.back_office import HEADER
from tests.loyalty.till_files.back_office import fuel as fuel_row

BECAUSE = {"reason": "a test of forms"}
SHORT = ({"reason": "x"}, "Use at least 3 characters")
FAILING = rule_set(
    rule("yuan", {"kind": "per_yuan", "points": 1}),
    id="failing",
    examples=[
        {
            "name": "a coffee",
            "sale": {
                "station": {"id": "S17"},
                "number": "1",
                "business_day": "2026-07-07",
                "time": "2026-07-07T10:00:00+08:00",
                "time_zone": "Asia/Shanghai",
                "customer": "chen",
                "lines": [
                    {
                        "number": 1,
                        "article": "coffee",
                        "category": "drinks",
                        "quantity_milli": 1000,
                        "unit": "piece",
                        "amount_micros": 12_000_000,
                    }
                ],
            },
            "customer": {"customer": "chen"},
            "awards": {"yuan": 13},
        }
    ],
)


def text_of_rules(**other: Any) -> str:
    """The candidate's text, with another version."""
    return json.dumps(json.loads(write_rule_set(CANDIDATE)) | other)


def text_of_tiers(**other: Any) -> str:
    """Levels as text, in another version."""
    return json.dumps(TIERS | {"version": 3} | other)


def refused_wish(site: Site) -> str:
    """A wish that waits for a decision."""
    with site.database.session.begin() as session:
        reference = f"forms:{next(site.shop.numbers)}"
        wish = WishService(session).wish(
            IssueWish(reference=reference, program="FUEL", member="external:cus_x", points=5, facts={"a": 1})
        )
        refuse(wish, "member_unknown", "nobody")
        return wish.id


def open_difference(site: Site) -> str:
    """A difference that nobody has closed."""
    with site.database.session.begin() as session:
        DifferenceService(session).note("unknown_here", f"mov_{next(site.shop.numbers)}", None, {}, {"points": 1})
        (found,), _ = DifferenceService(session).page(is_open=True, cursor=None, limit=1)
        return found.id


def somebody(site: Site) -> str:
    """A person who is invited."""
    with site.database.session.begin() as session:
        login = f"person-{next(site.shop.numbers)}"
        return PeopleService(session).invite(login, "Somebody", Role.CASHIER, actor="test")[0].id


def some_key(site: Site) -> str:
    """A key that is good."""
    with site.database.session.begin() as session:
        return KeyService(session).add("a till", Role.CASHIER, actor="test")[0].id


def a_draft(site: Site) -> str:
    """A draft whose example does not come out as it says, and which is published all the same by nobody."""
    body = {
        "program": "FUEL",
        "rules": json.loads(write_rule_set(CANDIDATE)) | {"version": next(site.shop.numbers) + 100},
    }
    return str(site.shop.api.post("/v1/rule-sets", body, Role.MARKETING).json()["id"])


def a_tier_scheme(site: Site) -> str:
    """A draft that nobody publishes."""
    plan = TIERS | {"id": "others", "effective": LATER, "version": next(site.shop.numbers) + 100}
    return add_plan(site.shop, "tier-schemes", "scheme", plan)


def a_task(site: Site) -> str:
    """A draft that nobody publishes."""
    plan = THREE_DAYS | {"id": "others", "version": next(site.shop.numbers) + 100}
    return add_plan(site.shop, "tasks", "task", plan)


def a_referral_scheme(site: Site) -> str:
    """A draft that nobody publishes."""
    plan = referrals.plain(id="others", effective=LATER, version=next(site.shop.numbers) + 100)
    return add_plan(site.shop, "referral-schemes", "scheme", plan)


def a_gift_plan(site: Site) -> str:
    """A draft that nobody publishes."""
    plan = GIFTS | {"id": "others", "effective": LATER, "version": next(site.shop.numbers) + 100}
    return add_plan(site.shop, "gift-plans", "plan", plan)


def a_device(site: Site) -> str:
    """A device in use."""
    return Forecourt(site.shop).add("card_reader").id


def a_sale(site: Site) -> str:
    """A sale of nobody."""
    return str(site.shop.sell(fuel(7), **AUGUST)["id"])


def an_uncovered_sale(site: Site) -> str:
    """A sale of a customer that no rules covered when it came, and that some cover now."""
    sold = site.shop.sell(fuel(7), customer=site.shop.customer(), **AUGUST)
    with site.database.session.begin() as session:
        row = session.get_one(RecordedSale, sold["id"])
        row.outcome, row.rule_set = Outcome.UNCOVERED, None
        for award in session.scalars(select(BookedAward).where(BookedAward.sale_id == row.id)):
            session.execute(delete(Wish).where(Wish.reference == award.reference))
            session.delete(award)
    return str(sold["id"])


def a_failed_message(site: Site) -> str:
    """A message that no channel has taken."""
    return told(site.database, site.shop.customer(), f"forms:{next(site.shop.numbers)}")


def a_refused_message(site: Site, device: str = "dev_x") -> str:
    """What a device published and was refused."""
    event = {
        "number": f"{next(site.shop.numbers)}",
        "kind": "started",
        "time": "2026-08-15T12:00:00+08:00",
        "fill": "77",
    }
    with site.database.session.begin() as session:
        kept = DeviceMessageService(session).refuse(
            f"tongdui/S17/{device}/events", json.dumps(event).encode(), "unknown_device", "there is no such device"
        )
        return kept.id


def an_identifier(site: Site) -> str:
    """A customer and something that they are known by, as a path."""
    customer = site.shop.customer()
    found = site.shop.api.get(f"/v1/customers/{customer}").json()["identifiers"][0]["id"]
    return f"{customer}/identifiers/{found}"


def a_debt(site: Site) -> str:
    """A customer and what they owe, as a path."""
    customer = site.shop.customer()
    day = {"business_day": "2026-05-05", "time": "2026-05-05T15:30:00+08:00"}
    return f"{customer}/debts/{site.shop.in_debt(customer, **day)}"


def a_customer(site: Site) -> str:
    """A customer who takes part."""
    return site.shop.customer()


@dataclass(frozen=True)
class Case:
    """A form: its route, who sends it, what is right and what is wrong with it."""

    route: str
    role: Role
    good: dict[str, str]
    bad: tuple[tuple[dict[str, str], str], ...]
    """Values that replace the good ones, and the sentence that the page says then."""
    path: str = ""
    """Where it is sent, if a thing stands in it: `{}` is what `thing` makes."""
    thing: Callable[[Site], str] | None = None
    shown: bool = False
    """Whether it answers with a page, which shows something once."""
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)


M, R, C = Role.MARKETING, Role.MANAGER, Role.CASHIER
EMPTY = "Fill this in"
PLAN = {
    "program": "FUEL",
    "id": "filled-in",
    "time_zone": "Asia/Shanghai",
    "name_zh": "填写",
    "name_en": "Filled in",
    "start": "2026-12-02",
}
LATER = {"from": "2099-01-01"}
"""What counts today stays so."""
AUGUST = {"business_day": "2026-08-15", "time": "2026-08-15T15:30:00+08:00"}
"""After all that other tests look at."""
RIGHT = {
    **BECAUSE,
    "number": "right-1",
    "business_day": "2026-08-15",
    "time": "2026-08-15T15:30",
    "kind": "card",
    "value": OTHER_CARD,
    "article_1": "95",
    "category_1": "fuel",
    "quantity_milli_1": "6.5",
    "unit_1": "l",
    "amount_micros_1": "52",
}
TEXTS = {
    "is_on": "on",
    "title_zh": "礼物",
    "body_zh": "{reason}：{points} 积分",
    "title_en": "A gift",
    "body_en": "{points} points: {reason}",
}
DAY = "\n".join((HEADER, fuel_row(900), "")).encode()
"""What a till has written."""
TASK = {"goal": "streak", "at_1": "3", "points_1": "100", "round": "month", "times": "1"}
CASES = (
    Case(
        "/customers/new",
        C,
        {"kind": "plate", "value": "京B 99999", "month": "2", "day": "29"},
        (
            ({"kind": "shoe"}, "Choose one of those offered"),
            ({"value": "!"}, "This is none"),
            ({"value": "6222 0000 12345", "kind": "card"}, "another customer"),
            ({"month": "2", "day": "30"}, "no such day"),
            ({"day": ""}, "Fill in both"),
            ({"month": "13"}, "from 1 to 12"),
        ),
    ),
    Case(
        "/customers/{customer}/identifiers",
        C,
        {"kind": "phone", "value": "+86 138 0013 8000"},
        (({"value": "138"}, "This is none"), ({"kind": ""}, "Choose one")),
        "/customers/{}/identifiers",
        a_customer,
    ),
    Case(
        "/customers/{customer}/identifiers/{identifier}/remove",
        C,
        BECAUSE,
        (SHORT, ({"reason": ""}, EMPTY)),
        "/customers/{}/remove",
        an_identifier,
    ),
    Case(
        "/customers/{customer}/consents",
        C,
        {"purpose": "marketing", "text_version": "2026-11", "is_given": "no"},
        (({"purpose": "two words"}, "Use letters, digits"), ({"is_given": "perhaps"}, "Choose one of those")),
        "/customers/{}/consents",
        a_customer,
    ),
    Case("/customers/{customer}/debts/{debt}/write-off", R, BECAUSE, (SHORT,), "/customers/{}/write-off", a_debt),
    Case(
        "/customers/{customer}/erase",
        R,
        {**BECAUSE, "forfeit_points": "on"},
        (SHORT, ({"forfeit_points": "-"}, "Confirm this to go on")),
        "/customers/{}/erase",
        a_customer,
    ),
    Case(
        "/rule-sets/new",
        M,
        {"program": "FUEL", "text": text_of_rules(version=77)},
        (
            ({"text": "{"}, "cannot be used"),
            ({"text": text_of_rules(version=2)}, "There is this version already"),
            ({"text": text_of_rules(rules=[])}, "cannot be used"),
            ({"program": ""}, EMPTY),
        ),
    ),
    Case("/rule-sets/{rule_set}/publish", R, BECAUSE, (SHORT,), "/rule-sets/{}/publish", a_draft),
    Case(
        "/tiers/new",
        M,
        {"text": text_of_tiers(version=77)},
        (
            ({"text": "{"}, "cannot be used"),
            ({"text": text_of_tiers(version=2)}, "There is this version already"),
            ({"text": text_of_tiers(levels=[])}, "cannot be used"),
            ({"text": ""}, EMPTY),
        ),
    ),
    Case("/tiers/{tier_scheme}/publish", R, BECAUSE, (SHORT,), "/tiers/{}/publish", a_tier_scheme),
    Case(
        "/tasks/new",
        M,
        PLAN | TASK,
        (
            ({"id": "Three Days"}, "Use small letters"),
            ({"until": "2026-12-01"}, "before the first one"),
            ({"name_zh": ""}, EMPTY),
            ({"goal": "sleep"}, "Choose one of those offered"),
            ({"goal": "at_once"}, "What is counted needs this"),
            ({"measure": "litres"}, "does not have this"),
            ({"at_2": "5"}, "Fill this in, too"),
            ({"at_2": "2", "points_2": "9"}, "more than the one before"),
            ({"at_3": "9", "points_3": "9"}, "the stage before this one first"),
            ({"description_en": "Come."}, "Fill this in, too"),
            ({"tiers": "platinum"}, "Choose from those offered"),
            ({"condition": "line.categroy == 'fuel'"}, "did you mean line.category"),
            ({"round": "day"}, "cannot be used as it is"),
            ({"times": "0"}, "from 1 to 1,000"),
        ),
    ),
    Case("/tasks/{task}/publish", R, BECAUSE, (SHORT,), "/tasks/{}/publish", a_task),
    Case(
        "/referrals/new",
        M,
        PLAN | {"newcomer_points": "100", "referrer_points": "200", "days_to_refer": "30"},
        (
            ({"newcomer_points": "0"}, "from 1 to"),
            ({"again_points": "5"}, "Fill this in, too"),
            ({"days_to_refer": "400"}, "from 0 to 365"),
            ({"condition": "customer.tier == 'gold'"}, "cannot be used as it is"),
        ),
    ),
    Case("/referrals/{referral_scheme}/publish", R, BECAUSE, (SHORT,), "/referrals/{}/publish", a_referral_scheme),
    Case(
        "/gifts/new",
        M,
        PLAN | {"joining_points": "50", "joining_after": "joining"},
        (
            ({"joining_points": ""}, "Nothing is given"),
            ({"profile_points": "5"}, "what has to be known"),
            ({"profile_needs": "phone"}, "how many points"),
            ({"birthday_tiers": "gold"}, "Fill this in, too"),
            ({"joining_after": "never"}, "Choose one of those offered"),
        ),
    ),
    Case("/gifts/{gift_plan}/publish", R, BECAUSE, (SHORT,), "/gifts/{}/publish", a_gift_plan),
    Case(
        "/customers/{customer}/referral",
        C,
        {"code": "{code}"},
        (({"code": "NOBODY"}, "Nobody has this code"), ({"code": ""}, EMPTY)),
        "/customers/{}/referral",
        a_customer,
    ),
    Case(
        "/devices/new",
        R,
        {
            "station": "S17",
            "name": "pump 7",
            "kind": "pump",
            "point": "P7",
            "recognition_seconds": "600",
            "idle_seconds": "900",
        },
        (
            ({"station": "S00"}, "no such station"),
            ({"kind": "shoe"}, "Choose one of those"),
            ({"point": ""}, "needs a point"),
            ({"point": "P3"}, "is in use at this point"),
            ({"point": "P:3"}, "Use no spaces"),
            ({"idle_seconds": "0"}, "from 1 to"),
        ),
        shown=True,
    ),
    Case("/devices/{device}/rotate-key", R, BECAUSE, (SHORT,), "/devices/{}/rotate-key", a_device, shown=True),
    Case("/devices/{device}/revoke", R, BECAUSE, (SHORT,), "/devices/{}/revoke", a_device),
    Case(
        "/sales/{sale}/correct",
        C,
        RIGHT,
        (
            SHORT,
            ({"number": "a b"}, "Use no spaces"),
            ({"business_day": "soon"}, "Write a day"),
            ({"value": "6222000099999"}, "Nobody is known by this"),
            ({"article_1": ""}, "one line at least"),
            ({"quantity_milli_1": ""}, "Fill this in, or take"),
            ({"quantity_milli_1": "1.2345"}, "at most three decimals"),
            ({"amount_micros_1": "a lot"}, "Write an amount"),
            ({"unit_1": "mile"}, "Choose one of those"),
        ),
        "/sales/{}/correct",
        a_sale,
    ),
    Case(
        "/sales/{sale}/recognise",
        C,
        {**BECAUSE, "kind": "card", "value": OTHER_CARD},
        (SHORT, ({"value": "6222000099999"}, "Nobody is known by this"), ({"kind": "id"}, "no such customer")),
        "/sales/{}/recognise",
        a_sale,
    ),
    Case("/sales/{sale}/evaluate", R, BECAUSE, (SHORT,), "/sales/{}/evaluate", an_uncovered_sale),
    Case(
        "/till-files/new",
        C,
        {"station": "S17", "mapping": "station"},
        (({"station": "S00"}, "no such station"), ({"mapping": "../etc"}, "Choose one of those offered")),
        files={"file": ("day.csv", DAY)},
    ),
    Case(
        "/messages/kinds/{kind}",
        M,
        TEXTS,
        (
            ({"title_en": "x" * 61}, "Use at most 60 characters"),
            ({"body_zh": "{euros} 积分"}, "a brace itself is written twice"),
            ({"body_en": "{points"}, "a brace itself is written twice"),
            ({"title_zh": ""}, EMPTY),
        ),
        "/messages/kinds/gift_given",
    ),
    Case("/messages/{message}/send-again", R, BECAUSE, (SHORT,), "/messages/{}/send-again", a_failed_message),
    Case(
        "/refused-messages/{refused_message}/put-aside",
        R,
        BECAUSE,
        (SHORT,),
        "/refused-messages/{}/put-aside",
        a_refused_message,
    ),
    Case("/wishes/{wish}/retry", R, BECAUSE, (SHORT,), "/wishes/{}/retry", refused_wish),
    Case("/wishes/{wish}/write-off", R, BECAUSE, (SHORT,), "/wishes/{}/write-off", refused_wish),
    Case("/differences/{difference}/close", R, BECAUSE, (SHORT,), "/differences/{}/close", open_difference),
    Case(
        "/stations/new",
        R,
        {"code": "S99", "name": "New Road", "region": "", "time_zone": "Asia/Urumqi"},
        (
            ({"code": "S:1"}, "Use no spaces"),
            ({"code": "S17"}, "There is a station with this code"),
            ({"time_zone": "Mars"}, "no such time zone"),
            ({"name": ""}, EMPTY),
        ),
    ),
    Case(
        "/stations/{station}",
        R,
        {"name": "Changjiang Road East", "region": "east", "time_zone": "Asia/Shanghai"},
        (({"time_zone": "../etc"}, "no such time zone"),),
        "/stations/S17",
    ),
    Case(
        "/keys/new",
        R,
        {"name": "till 9", "role": "cashier"},
        (({"role": "device"}, "Choose one of those"),),
        shown=True,
    ),
    Case("/keys/{key}/revoke", R, BECAUSE, (SHORT,), "/keys/{}/revoke", some_key),
    Case(
        "/people/invite",
        R,
        {"login": "li.na", "name": "李娜", "role": "cashier"},
        (({"login": "!"}, "A login has"), ({"role": ""}, "Choose one")),
        shown=True,
    ),
    Case(
        "/people/{person}/role",
        R,
        {"role": "auditor", **BECAUSE},
        (SHORT, ({"role": "device"}, "Choose one of those")),
        "/people/{}/role",
        somebody,
    ),
    Case("/people/{person}/invite-again", R, BECAUSE, (SHORT,), "/people/{}/invite-again", somebody, shown=True),
    Case("/people/{person}/end", R, BECAUSE, (SHORT,), "/people/{}/end", somebody),
    Case(
        "/account/password",
        M,
        {"password": PASSWORD, "new_password": "Another-Horse-8", "again": "Another-Horse-8"},
        (({"password": "x"}, "This is not your password"), ({"again": "x"}, "The two passwords differ")),
    ),
)
ELSEWHERE = {
    "/sign-in",
    "/join",
    "/join/code",
    "/account/recovery-codes",
    "/customers/{customer}/referral-code",
    "/account/sessions/{session}/end",
    "/till-files/{file}/take-again",
    "/messages/kinds/{kind}/reset",
    "/refused-messages/{refused_message}/take-again",
    "/sign-out",
    "/preferences",
}
"""Sent well and badly by `tests/loyalty/people`, or nothing is typed."""


def test_every_form_has_a_case() -> None:
    routes = {route for method, route in PAGE_RULES if method == "POST"}
    assert routes == {case.route for case in CASES} | ELSEWHERE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.route)
def test_a_form_is_refused_beside_its_field_and_then_taken(site: Site, case: Case) -> None:
    browser = signed_in(site, case.role)
    good = {name: value.replace("{code}", site.code) for name, value in case.good.items()}
    thing = case.thing(site) if case.thing else ""
    path = "/staff" + (case.path.format(thing) or case.route)
    for other, sentence in case.bad:
        values = {name: value for name, value in (good | other).items() if value != "-"}
        answer = browser.post(path, values, files=case.files or None)
        said = html.unescape(answer.text)
        assert (answer.status_code, sentence in said) == (422, True), f"{other}: {answer.status_code}"
        typed = {name: value for name, value in values.items() if "password" not in name and name != "again"}
        for name in typed.keys() - other.keys():  # what is not among the options is not offered again
            assert typed[name] in said, f"what was typed is gone: {typed[name]}"
    answer = browser.post(path, {**good, "idempotency_key": "once"}, files=case.files or None)
    assert answer.status_code == (200 if case.shown else 303), answer.text
    again = browser.post(path, {**good, "idempotency_key": "once"}, files=case.files or None)
    assert again.status_code == 303, "sent again, it leads to where it has led"


def test_a_code_is_given_once(site: Site) -> None:
    cashier, customer = signed_in(site, Role.CASHIER), site.shop.customer()
    for _ in range(2):
        assert cashier.post(f"/staff/customers/{customer}/referral-code").status_code == 303
    code = site.shop.api.post(f"/v1/customers/{customer}/referral-code", {}).json()["code"]
    assert code in cashier.get(f"/staff/customers/{customer}").text
    answer = cashier.post(f"/staff/customers/{customer}/referral", {"code": code})
    assert (answer.status_code, "Nobody brings themselves" in answer.text) == (422, True)


def test_a_corrected_sale_shows_by_whom_and_why(site: Site) -> None:
    cashier, wrong = signed_in(site, Role.CASHIER), a_sale(site)
    number = site.shop.api.get(f"/v1/sales/{wrong}").json()["number"]
    answer = cashier.post(f"/staff/sales/{wrong}/correct", RIGHT | {"number": number, "till": "1"})
    assert (answer.status_code, "number of its own" in answer.text) == (422, True)
    answer = cashier.post(f"/staff/sales/{wrong}/correct", RIGHT | {"number": "right-2", "article_2": ""})
    right = answer.headers["location"].rpartition("/")[2]
    sale = site.shop.api.get(f"/v1/sales/{right}").json()
    assert (sale["customer"], [line["quantity_milli"] for line in sale["lines"]]) == (site.things["other"], [6_500])
    for one, other in ((wrong, right), (right, wrong)):
        said = cashier.get(f"/staff/sales/{one}").text
        assert f'href="/staff/sales/{other}"' in said
        assert "a test of forms" in said
        assert NAMES[Role.CASHIER] in said
    answer = cashier.post(f"/staff/sales/{wrong}/correct", RIGHT | {"number": "right-3"})
    assert (answer.status_code, "was corrected already" in answer.text) == (422, True)


def test_a_sale_that_no_rules_cover_yet_stays_uncovered(site: Site) -> None:
    answer = signed_in(site, Role.MANAGER).post(f"/staff/sales/{site.things['early']}/evaluate", BECAUSE)
    assert (answer.status_code, "Publish one first" in answer.text) == (422, True)


def test_a_tills_file_is_handed_in_and_taken_in_again(site: Site) -> None:
    cashier, path = signed_in(site, Role.CASHIER), "/staff/till-files/new"
    answer = cashier.post(path, {"station": "S17", "mapping": "station"})
    assert (answer.status_code, "Choose a file" in answer.text) == (422, True)
    large = {"file": ("large.csv", b"x" * (LARGEST_TILL_FILE + 1))}
    answer = cashier.post(path, {"station": "S17", "mapping": "station"}, files=large)
    assert (answer.status_code, "larger than 20 MB" in answer.text) == (422, True)
    assert cashier.post("/staff/customers/new", files=large).status_code == 413
    file = till_file(site.shop, 801)
    said = html.unescape(text_of(cashier.get(f"/staff/till-files/{file}")))
    assert re.search(r"Booked 1 Known already 0 .* Cannot be booked 1 ", said)
    assert re.search(r" 3 1 · R801 original Cannot be booked there is no sale 777", said)
    assert cashier.post(f"/staff/till-files/{file}/take-again").status_code == 303
    assert "Waits for the worker" in text_of(cashier.get("/staff/till-files", station="S17"))
    answer = cashier.post(f"/staff/till-files/{file}/take-again")
    assert (answer.status_code, "not all been taken in yet" in answer.text) == (422, True)


def test_texts_are_shown_before_they_are_kept_and_given_back(site: Site) -> None:
    marketing, path = signed_in(site, Role.MARKETING), "/staff/messages/kinds/task_done"
    for key in ("first", "second"):
        answer = marketing.post(path, TEXTS | {"preview": "yes", "idempotency_key": key})
        assert answer.status_code == 200
        assert "How it would read" in answer.text
        assert "300 points: three days running" in answer.text
        assert f'value="{key}"' not in answer.text, "what is sent next is another form"
    assert "A gift" not in marketing.get(path).text
    kept = {name: text for name, text in TEXTS.items() if name != "is_on"}
    assert marketing.post(path, kept).status_code == 303
    said = text_of(marketing.get(path))
    assert "Texts of your own Switched off" in said
    assert "300 points: three days running" in said
    assert marketing.post(f"{path}/reset").status_code == 303
    assert "Texts of the programme Switched off" in text_of(marketing.get(path))
    assert marketing.post(path, TEXTS | {"title_en": "{title}"}).status_code == 422
    assert marketing.post("/staff/messages/kinds/sign_in_code", TEXTS).status_code == 404


def test_a_message_shows_its_tries_and_is_sent_again(site: Site) -> None:
    manager, message = signed_in(site, Role.MANAGER), a_failed_message(site)
    said = text_of(manager.get(f"/staff/messages/{message}"))
    assert "SMS 中文 Not taken 503: the service is down" in said
    assert manager.post(f"/staff/messages/{message}/send-again", BECAUSE).status_code == 303
    answer = manager.post(f"/staff/messages/{message}/send-again", BECAUSE)
    assert (answer.status_code, "Only what failed" in answer.text) == (422, True)
    customer = site.things["customer"]
    said = text_of(manager.get("/staff/messages", state="failed", customer=customer))
    assert re.search(r"A task is done failed \S+ SMS 6 Failed", said)
    assert f'href="/staff/messages/{site.things["message"]}"' in manager.get(f"/staff/customers/{customer}").text
    assert "What the customer was told" not in signed_in(site, Role.CASHIER).get(f"/staff/customers/{customer}").text


def test_channels_are_shown_without_their_secrets(site: Site, tmp_path: Path) -> None:
    urls = {"mail": "mailtos://programme:secret@mail.example/?to={to}", "sms": "jsons://key@sms.example/{to}"}
    more = {"channels_file": channels_file(tmp_path / "channels.toml", **urls), "messages_a_day": 4}
    team = replace(site.team, settings=site.team.settings.model_copy(update=more), _app=None)
    browser = team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(Role.MARKETING))
    said = text_of(browser.get("/staff/messages/kinds"))
    assert re.search(r"1 Mail E-?Mail 2 SMS JSON", said)
    assert "21:00 – 08:00" in said
    assert "At most a day 4" in said
    assert not [word for word in ("secret", "key@", "mail.example") if word in said]
    (tmp_path / "channels.toml").write_text("[channels]\nsms = 'nowhere'\n")
    assert "channels.sms is no address" in browser.get("/staff/messages/kinds").text


def test_a_refused_message_is_taken_when_nothing_stands_against_it(site: Site) -> None:
    manager, message = signed_in(site, Role.MANAGER), a_refused_message(site)
    answer = manager.post(f"/staff/refused-messages/{message}/take-again")
    assert (answer.status_code, "there is no device dev_x" in answer.text) == (422, True)
    assert "dev_x" in manager.get(f"/staff/refused-messages/{message}").text
    good = a_refused_message(site, Forecourt(site.shop).add("pump", "P8").id)
    assert manager.post(f"/staff/refused-messages/{good}/take-again").status_code == 303
    said = text_of(manager.get(f"/staff/refused-messages/{good}"))
    assert "Taken after all" in said
    assert NAMES[Role.MANAGER] in said
    answer = manager.post(f"/staff/refused-messages/{good}/put-aside", BECAUSE)
    assert (answer.status_code, "decided about this already" in answer.text) == (422, True)
    assert good not in manager.get("/staff/refused-messages", state="open").text


def test_a_wish_that_was_decided_about_is_decided_about_once(site: Site) -> None:
    browser = signed_in(site, Role.MANAGER)
    wish = refused_wish(site)
    assert browser.post(f"/staff/wishes/{wish}/write-off", BECAUSE).status_code == 303
    answer = browser.post(f"/staff/wishes/{wish}/retry", BECAUSE)
    assert (answer.status_code, "decided about this already" in answer.text) == (422, True)
    with site.database.reading() as session:
        assert WishService(session).get(wish).state is WishState.WRITTEN_OFF


def test_a_problem_of_a_draft_stands_at_its_place(site: Site) -> None:
    rules = json.loads(write_rule_set(CANDIDATE))
    rules["rules"][0]["condition"] = "line.categroy == 'fuel'"
    text = json.dumps(rules | {"version": 55})
    answer = signed_in(site, Role.MARKETING).post("/staff/rule-sets/new", {"program": "FUEL", "text": text})
    assert answer.status_code == 422
    assert "/rules/0/condition" in answer.text
    assert "did you mean line.category?" in answer.text


def test_a_plan_that_fields_cannot_say_is_written_as_text(site: Site) -> None:
    stages = [{"at": at, "points": 1} for at in range(1, 6)]
    kept = add_plan(site.shop, "tasks", "task", THREE_DAYS | {"id": "long", "stages": stages})
    page = signed_in(site, Role.MARKETING).get("/staff/tasks/new", **{"from": kept}).text
    assert 'name="text"' in page
    assert 'name="at_1"' not in page


def test_rules_whose_examples_fail_are_not_published(site: Site) -> None:
    body = {"program": "FUEL", "rules": json.loads(write_rule_set(FAILING))}
    draft = site.shop.api.post("/v1/rule-sets", body, Role.MARKETING).json()["id"]
    manager = signed_in(site, Role.MANAGER)
    assert "is to award 13, but" in html.unescape(manager.get(f"/staff/rule-sets/{draft}").text)
    answer = manager.post(f"/staff/rule-sets/{draft}/publish", BECAUSE)
    assert (answer.status_code, "An example does not come out" in answer.text) == (422, True)


def test_the_last_managers_key_is_not_revoked_here_either(site: Site) -> None:
    manager = signed_in(site, Role.MANAGER)
    keys = site.shop.api.get("/v1/keys").json()["data"]
    (last,) = [key["id"] for key in keys if key["role"] == "manager"]
    answer = manager.post(f"/staff/keys/{last}/revoke", BECAUSE)
    assert (answer.status_code, "the last manager" in answer.text) == (422, True)


def test_a_simulation_is_shown_as_a_chart_and_bad_days_beside_their_field(site: Site) -> None:
    marketing = signed_in(site, Role.MARKETING)
    path = f"/staff/rule-sets/{site.things['rule_set']}/simulation"
    for query, sentence in (
        ({"from": "2026-01-01", "to": "2026-12-31", "cost": "0.01"}, "at most 92 days"),
        ({"from": "July", "to": "2026-07-31", "cost": "0.01"}, "Enter a day"),
        ({"from": "2026-07-02", "to": "2026-07-01", "cost": "0.01"}, "before the first one"),
        ({"from": "2026-07-01", "to": "2026-07-31", "cost": "free"}, "Write an amount"),
        ({"from": "2026-07-01", "to": "", "cost": "1"}, EMPTY),
        ({"from": "2019-07-01", "to": "2019-07-02", "cost": "1"}, "nothing to compare with"),
    ):
        answer = marketing.get(path, **query)
        assert (answer.status_code, sentence in html.unescape(answer.text)) == (422, True), query
    text = marketing.get(path, **{"from": "2026-07-01", "to": "2026-07-31", "cost": "0.01"}).text
    (drawn,) = re.findall(r'data-chart="([^"]+)"', text)
    chart = json.loads(html.unescape(drawn))
    assert [series["name"] for series in chart["series"]] == ["Candidate", "In force"]
    assert len(chart["labels"]) == 7
    litres = [31, 32, 33, 34, 35, 36, 37 + 20]  # the last day has a sale that no rules covered then
    assert chart["series"][0]["values"] == [8 * each for each in litres]
    assert "Customers who gain" in text


def test_quiet_weeks_are_marked_and_lead_to_a_draft_with_a_fund(site: Site) -> None:
    marketing = signed_in(site, Role.MARKETING)
    for query, sentence in (
        ({"station": "S00"}, "no such station"),
        ({"station": "S17", "coefficient": "1"}, "Write a number above 1"),
        ({"station": "S17", "coefficient": "much"}, "Write a number above 1"),
        ({"station": "", "coefficient": "2"}, EMPTY),
    ):
        answer = marketing.get("/staff/quiet-weeks", **query)
        assert (answer.status_code, sentence in html.unescape(answer.text)) == (422, True), query
    text = html.unescape(marketing.get("/staff/quiet-weeks", station="S17", coefficient="2").text)
    sold, marked = drawn(marketing)["series"]
    assert (len(sold["values"]), len([one for one in marked["values"] if one is not None])) == (52, 17)
    assert max(one for one in marked["values"] if one is not None) <= min(
        value for value, mark in zip(sold["values"], marked["values"], strict=True) if mark is None
    )
    (link,) = re.findall(r'href="(/staff/rule-sets/new\?from=[^"]+fund=S17[^"]+)"', text)
    draft = html.unescape(re.findall(r"<textarea[^>]*>(.*?)</textarea>", marketing.get(link).text, re.DOTALL)[0])
    plan = json.loads(draft)
    funds = [rule for rule in plan["rules"] if rule["id"].startswith("fund-s17-")]
    assert funds
    assert {rule["condition"] for rule in funds} == {'station.id == "S17"'}
    assert {(rule["effect"]["points"], rule["effect"]["per"]) for rule in funds} == {(1, 2)}, (
        "500 points for 1,000 yuan"
    )
    kept = marketing.post("/staff/rule-sets/new", {"program": "FUEL", "text": json.dumps(plan | {"version": 99})})
    assert kept.status_code == 303, kept.text
    again = json.loads(
        html.unescape(
            re.findall(
                r"<textarea[^>]*>(.*?)</textarea>",
                marketing.get(kept.headers["location"].replace("rule-sets/", "rule-sets/new?from=") + "&fund=S17").text,
                re.DOTALL,
            )[0]
        )
    )
    assert len(again["rules"]) == len(plan["rules"]), "a fund that is there gives way"
    assert "Begin a draft" not in signed_in(site, Role.AUDITOR).get("/staff/quiet-weeks", station="S17").text


def drawn(browser: Browser) -> dict[str, Any]:
    """The chart of a station's year."""
    text = browser.get("/staff/quiet-weeks", station="S17", coefficient="2").text
    found: dict[str, Any] = json.loads(html.unescape(re.findall(r'data-chart="([^"]+)"', text)[0]))
    return found


def signed_in(site: Site, role: Role) -> Browser:
    """A browser with a session of this role."""
    browser = site.team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(role))
    return browser
