"""A friend's link: a newcomer joins with a one-time code, the friend has brought them, and what is refused is said in words."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import select

from loyalty.customer_sessions.models import SignInCode
from loyalty.customer_sessions.sign_in import CODES_OF_A_PHONE, MOST_TRIES
from loyalty.customers.models import Customer, Identifier
from tests.loyalty.customer_pages.test_pages import today
from tests.loyalty.customer_pages.world import CHEN, LI, Browser, World, plan, text_of
from tests.loyalty.intake.shop import fuel
from tests.loyalty.referrals.written import plain as referral_scheme

WANG = "+8613600136000"
WELCOME = "Welcome! You take part from now on."


@pytest.fixture
def code(world: World) -> str:
    """The code that Chen hands on."""
    plan(world, "referral-schemes", {"program": "FUEL", "scheme": referral_scheme()})
    return code_of(world, CHEN)


def code_of(world: World, phone: str) -> str:
    chen = world.shop.api.get("/v1/customers/lookup", kind="phone", value=phone).json()["id"]
    return str(world.shop.api.post(f"/v1/customers/{chen}/referral-code", {}).json()["code"])


def join(browser: Browser, code: str, phone: str, **more: str) -> httpx.Response:
    """Opens the link, asks for a code, types it; where that leads to."""
    asked = browser.post(f"/my/invitation/{code}", {"phone": phone})
    assert (asked.status_code, asked.headers["location"]) == (303, f"/my/invitation/{code}/join")
    answer = browser.post(f"/my/invitation/{code}/join", {"code": browser.world.sent.code(), **more})
    assert (answer.status_code, answer.headers["location"]) == (303, "/my/home")
    return browser.get("/my/home")


def brought(world: World, phone: str) -> list[str]:
    """Whom a customer has brought."""
    customer = world.shop.api.get("/v1/customers/lookup", kind="phone", value=phone).json()["id"]
    found = world.shop.api.get(f"/v1/customers/{customer}/referrals").json()["data"]
    return [one["newcomer_id"] for one in found]


def test_a_newcomer_joins_by_the_link_and_both_are_rewarded(world: World, code: str) -> None:
    browser = world.browser()
    assert "Join with your phone" in text_of(browser.get(f"/my/invitation/{code.lower()}"))
    browser.post(f"/my/invitation/{code}", {"phone": "136 0013 6000"})
    ((channel, to, _text),) = world.sent.messages
    assert (channel, to) == ("sms", WANG)
    page = text_of(browser.get(f"/my/invitation/{code}/join"))
    assert "+86••••000" in page
    assert "You may send me offers by message." in page
    typed = {"code": world.sent.code(), "consents": "marketing"}
    assert browser.post(f"/my/invitation/{code}/join", typed).headers["location"] == "/my/home"
    assert WELCOME in text_of(browser.get("/my/home"))
    newcomer = world.shop.api.get("/v1/customers/lookup", kind="phone", value=WANG).json()
    assert brought(world, CHEN) == [newcomer["id"]]
    assert [(one["purpose"], one["is_given"]) for one in newcomer["consents"]] == [("marketing", True)]
    world.shop.sell(fuel(30), customer=newcomer["id"], **today(world))
    assert "100" in text_of(browser.get("/my/history"))


def test_a_code_joins_once_and_only_with_the_phone_to_which_it_went(world: World, code: str) -> None:
    browser = world.browser()
    join(browser, code, WANG)
    digits = world.sent.code()
    browser.post("/my/sign-out")
    answer = browser.post(f"/my/invitation/{code}/join", {"code": digits})
    assert (answer.status_code, "This code is good no more" in text_of(answer)) == (422, True)
    there = world.browser()
    there.ask(LI)  # a code for signing in makes nobody a customer
    assert there.post(f"/my/invitation/{code}/join", {"code": world.sent.code()}).status_code == 422
    with world.database.reading() as session:
        assert len(session.scalars(select(Customer)).all()) == 3
        assert [one.invited_phone for one in session.scalars(select(SignInCode))] == [None]


def test_signing_in_with_the_code_of_an_invitation_lets_no_stranger_in(world: World, code: str) -> None:
    browser = world.browser()
    browser.post(f"/my/invitation/{code}", {"phone": WANG})
    assert browser.enter(world.sent.code()).status_code == 422
    with world.database.reading() as session:
        assert session.scalars(select(Identifier).where(Identifier.value == WANG)).all() == []


def test_limits_are_those_of_signing_in(world: World, code: str) -> None:
    path = f"/my/invitation/{code}"
    browser = world.browser()
    for _ in range(CODES_OF_A_PHONE - 1):
        assert browser.post(path, {"phone": WANG}).status_code == 303
    for _ in range(MOST_TRIES - 1):
        assert "This is not the code" in text_of(browser.post(f"{path}/join", {"code": wrong(world)}))
    assert "good no more" in text_of(browser.post(f"{path}/join", {"code": wrong(world)}))
    assert browser.ask(WANG).status_code == 303
    answer = browser.post(path, {"phone": WANG})
    assert (answer.status_code, "Too many codes" in text_of(answer)) == (422, True)
    bad = browser.post(path, {"phone": "12"})
    assert "This is no phone number" in text_of(bad)


def wrong(world: World) -> str:
    return f"{(int(world.sent.code()) + 1) % 1_000_000:06}"


def test_what_is_refused_is_said_in_words_and_the_newcomer_takes_part_all_the_same(world: World, code: str) -> None:
    browser = world.browser()
    assert WELCOME in text_of(join(browser, code, WANG))
    browser.post("/my/sign-out")
    text = text_of(join(browser, code, "+8613500135000"))  # on the same device
    assert WELCOME in text
    assert "The invitation does not count: Another customer has signed in on this device." in text
    assert len(brought(world, CHEN)) == 1


def test_who_takes_part_already_is_told_why_the_link_does_not_count(world: World, code: str) -> None:
    assert "This is your own link." in text_of(join(world.browser(), code, CHEN))
    li = world.shop.api.get("/v1/customers/lookup", kind="phone", value=LI).json()["id"]
    world.shop.sell(fuel(30), customer=li)
    text = text_of(join(world.browser(), code, LI))
    assert "You took part before you opened the link." in text
    assert "Welcome" not in text
    newcomer = world.browser()
    join(newcomer, code, WANG)
    ring = text_of(join(world.browser(), code_of(world, WANG), CHEN))
    assert "You have brought the friend whose link this is" in ring
    other = text_of(join(newcomer_again(newcomer), code_of(world, LI), WANG))
    assert "Somebody else has brought you already." in other


def newcomer_again(browser: Browser) -> Browser:
    browser.post("/my/sign-out")
    return browser


def test_who_has_signed_in_notes_the_friend_without_a_code(world: World, code: str) -> None:
    world.customer(WANG)
    browser = world.signed_in(WANG, "zh")
    assert "是朋友推荐我来的" in text_of(browser.get(f"/my/invitation/{code}"))
    assert browser.post(f"/my/invitation/{code}").headers["location"] == "/my/home"
    assert "您首次光临后，您和朋友都会获得积分。" in text_of(browser.get("/my/home"))
    assert len(brought(world, CHEN)) == 1


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_a_link_of_nobody_invites_nobody(world: World, code: str) -> None:
    assert code
    browser = world.browser()
    assert browser.post("/my/invitation/NOBODYS2", {"phone": WANG}).status_code == 404
    assert browser.get("/my/invitation/NOBODYS2/join").status_code == 404
    assert browser.get(f"/my/invitation/{code}/join").headers["location"] == f"/my/invitation/{code}"
    assert world.sent.messages == []
