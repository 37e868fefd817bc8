"""Signing in by a one-time code: nobody learns who is a customer, a code is good once, and sessions end."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from sqlalchemy import select

from loyalty.audit_log.models import AuditEntry
from loyalty.customer_sessions.models import CustomerSession, SignInCode
from loyalty.customer_sessions.sign_in import CODES_OF_A_PHONE, CODES_OF_AN_ADDRESS, MOST_TRIES
from loyalty.jobs import work
from loyalty.messages.channels import NotSent
from tests.loyalty.customer_pages.world import CHEN, LI, World, text_of, world_on

STRANGER = "+8613700137000"
WRONG, OVER, OFTEN = "This is not the code", "This code is good no more", "Too many codes"


def another(code: str) -> str:
    """A code that is wrong."""
    return f"{(int(code) + 1) % 1_000_000:06}"


def test_a_customer_signs_in_and_out(world: World) -> None:
    browser = world.browser()
    assert browser.get("/my").headers["location"] == "/my/"
    assert browser.get("/my/history").headers["location"] == "/my/sign-in?next=%2Fmy%2Fhistory"
    answer = browser.ask("138 0013 8000", next="/my/history")
    assert answer.headers["location"] == "/my/sign-in/code?next=%2Fmy%2Fhistory"
    ((channel, to, text),) = world.sent.messages
    assert (channel, to) == ("sms", CHEN)
    assert "10 minutes" in text.body
    page = browser.get("/my/sign-in/code")
    assert "+86••••000" in text_of(page)
    answer = browser.enter(world.sent.code(), next="/my/history")
    assert (answer.status_code, answer.headers["location"]) == (303, "/my/history")
    assert browser.get("/my/home").status_code == 200
    assert browser.get("/my/sign-in").headers["location"] == "/my/home"
    assert browser.post("/my/sign-out").status_code == 303
    assert browser.get("/my/home").status_code == 303


def test_a_stranger_sees_the_same_and_gets_nothing(world: World) -> None:
    known, unknown = world.browser(), world.browser()
    answers = [browser.ask(phone) for browser, phone in ((known, CHEN), (unknown, STRANGER))]
    assert [(one.status_code, one.headers["location"], one.content) for one in answers] == [
        (303, "/my/sign-in/code", b"")
    ] * 2
    assert [to for _, to, _ in world.sent.messages] == [CHEN]
    wrong = another(world.sent.code())
    for _ in range(MOST_TRIES - 1):
        assert WRONG in text_of(known.enter(wrong))
        assert WRONG in text_of(unknown.enter(wrong))
    assert OVER in text_of(known.enter(wrong))
    assert OVER in text_of(unknown.enter(wrong))


def test_a_code_is_good_once_and_in_the_browser_that_asked(world: World) -> None:
    here, there = world.browser(), world.browser()
    here.ask(CHEN)
    there.ask(LI)
    code = world.sent.messages[0][2].body[:6]
    assert there.enter(code).status_code == 422
    assert here.enter(f" {code[:3]}-{code[3:]} ").status_code == 303
    here.post("/my/sign-out")
    assert OVER in text_of(here.enter(code))


def test_five_wrong_codes_end_a_code(world: World) -> None:
    browser = world.browser()
    browser.ask(CHEN)
    code = world.sent.code()
    for _ in range(MOST_TRIES):
        assert browser.enter(another(code)).status_code == 422
    assert OVER in text_of(browser.enter(code))
    assert browser.get("/my/sign-in/code").headers["location"] == "/my/sign-in"
    browser.ask(CHEN)
    assert browser.enter(world.sent.code()).status_code == 303


def test_a_code_is_good_for_ten_minutes(world: World) -> None:
    browser = world.browser()
    browser.ask(CHEN)
    world.clock.ahead += timedelta(minutes=9)
    assert WRONG in text_of(browser.enter(another(world.sent.code())))
    world.clock.ahead += timedelta(minutes=2)
    assert OVER in text_of(browser.enter(world.sent.code()))


def test_a_phone_gets_few_codes_an_hour_and_a_stranger_is_counted_alike(world: World) -> None:
    for phone in (CHEN, STRANGER):
        browser = world.browser()
        for _ in range(CODES_OF_A_PHONE):
            assert browser.ask(phone).status_code == 303
        answer = browser.ask(phone)
        assert (answer.status_code, OFTEN in text_of(answer)) == (422, True)
    assert len(world.sent.messages) == CODES_OF_A_PHONE
    assert world.browser().ask(LI).status_code == 303
    world.clock.ahead += timedelta(minutes=61)
    assert world.browser().ask(CHEN).status_code == 303


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_an_address_asks_for_few_codes(world: World) -> None:
    for number in range(CODES_OF_AN_ADDRESS):
        assert world.browser().ask(f"+86137{number:08}").status_code == 303
    assert OFTEN in text_of(world.browser().ask(CHEN))


@pytest.mark.parametrize("typed", ["12", "not a phone", "+0123456789", "1" * 30])
@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_what_is_no_phone_is_refused_beside_the_field(world: World, typed: str) -> None:
    answer = world.browser().ask(typed)
    assert answer.status_code == 422
    assert "This is no phone number. Write it with its country" in text_of(answer)
    assert 'id="f-phone-error"' in answer.text


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef"])
@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_what_is_no_code_is_refused_and_is_no_try(world: World, typed: str) -> None:
    browser = world.browser()
    browser.ask(CHEN)
    answer = browser.enter(typed)
    assert (answer.status_code, 'id="f-code-error"' in answer.text) == (422, True)
    assert browser.enter(world.sent.code()).status_code == 303


def test_the_code_is_kept_as_a_hash_and_logged_nowhere(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    browser = world.browser()
    browser.ask(CHEN)
    code = world.sent.code()
    with world.database.reading() as session:
        (kept,) = session.scalars(select(SignInCode)).all()
        rows = [*session.scalars(select(AuditEntry)), kept]
        plain = "".join(str(value) for row in rows for value in vars(row).values())
    assert code not in plain
    assert CHEN not in str(vars(kept))
    assert code not in caplog.text
    browser.enter(code)
    with world.database.reading() as session:
        assert session.scalars(select(SignInCode)).all() == []


def test_a_channel_that_fails_says_nothing_to_the_customer(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def send(self, _channel: str, to: str, text: object) -> None:
            raise NotSent(f"{to} {text}")

    browser = world.browser()
    world.parts.channels = Broken()  # type: ignore[assignment]
    assert browser.ask(CHEN).headers["location"] == "/my/sign-in/code"
    said = capsys.readouterr()
    assert CHEN not in said.out + said.err


def test_the_cookie_of_a_session_is_for_the_server_only(world: World) -> None:
    browser = world.browser()
    browser.ask(CHEN)
    answer = browser.enter(world.sent.code())
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("loyalty_customer="))
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "Secure" not in cookie


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_over_https_cookies_are_for_https_only(programme, shifted, tmp_path) -> None:  # type: ignore[no-untyped-def]
    world = world_on(programme, shifted, tmp_path, url="https://points.example")
    answer = world.browser(base_url="https://points.example").get("/my/sign-in")
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-loyalty_customer_visit=")
    assert "Secure" in cookie


def test_a_session_ends_when_nobody_uses_it_and_at_its_end(world: World) -> None:
    idle = world.signed_in(CHEN)
    used = world.signed_in(CHEN)
    for _ in range(6):
        world.clock.ahead += timedelta(days=29)
        assert used.get("/my/profile").status_code == 200
    assert idle.get("/my/profile").status_code == 303
    world.clock.ahead += timedelta(days=29)  # 180 days are over
    assert used.get("/my/profile").status_code == 303


def test_signing_out_everywhere_ends_all_sessions_of_the_customer_and_no_other(world: World) -> None:
    here, there, other = world.signed_in(CHEN), world.signed_in(CHEN), world.signed_in(LI)
    assert here.post("/my/sign-out/everywhere").status_code == 303
    assert [browser.get("/my/profile").status_code for browser in (here, there, other)] == [303, 303, 200]


def test_an_erased_customers_sessions_end(world: World) -> None:
    browser = world.signed_in(CHEN)
    customer = world.shop.api.get("/v1/customers/lookup", kind="phone", value=CHEN).json()["id"]
    farewell = {"reason": "asked for it", "forfeit_points": True}
    assert world.shop.api.post(f"/v1/customers/{customer}/erase", farewell).status_code == 200
    assert browser.get("/my/profile").status_code == 303
    assert browser.ask(CHEN).status_code == 303
    assert len(world.sent.messages) == 1


def test_a_phone_that_is_taken_away_ends_the_sessions_that_it_began(world: World) -> None:
    browser = world.signed_in(CHEN)
    found = world.shop.api.get("/v1/customers/lookup", kind="phone", value=CHEN).json()
    path = f"/v1/customers/{found['id']}/identifiers/{found['identifiers'][0]['id']}/remove"
    assert world.shop.api.post(path, {"reason": "is another one's"}).status_code == 200
    assert browser.get("/my/profile").status_code == 303


def test_a_phone_that_is_taken_away_ends_its_code(world: World) -> None:
    browser = world.browser()
    browser.ask(CHEN)
    found = world.shop.api.get("/v1/customers/lookup", kind="phone", value=CHEN).json()
    path = f"/v1/customers/{found['id']}/identifiers/{found['identifiers'][0]['id']}/remove"
    world.shop.api.post(path, {"reason": "is another one's"})
    browser.enter(world.sent.code())
    assert browser.get("/my/profile").status_code == 303


def test_signing_in_and_out_stands_in_the_audit_log(world: World) -> None:
    browser = world.signed_in(CHEN)
    browser.post("/my/sign-out")
    world.signed_in(CHEN).post("/my/sign-out/everywhere")
    customer = world.shop.api.get("/v1/customers/lookup", kind="phone", value=CHEN).json()["id"]
    with world.database.reading() as session:
        query = select(AuditEntry.action).where(AuditEntry.actor == customer).order_by(AuditEntry.id)
        assert session.scalars(query).all() == [
            "customer.signed_in",
            "customer.signed_out",
            "customer.signed_in",
            "customer.signed_out_everywhere",
        ]


def test_old_sessions_and_codes_are_forgotten(world: World) -> None:
    world.signed_in(CHEN)
    world.browser().ask(LI)
    settings = world.settings.model_copy(
        update={"database_url": world.database.url, "customer_session_lifetime": -(10**8)}
    )
    work.clean_up(settings)
    with world.database.reading() as session:
        assert session.scalars(select(CustomerSession)).all() == []
        assert len(session.scalars(select(SignInCode)).all()) == 1  # it is of now


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_without_a_secret_there_are_no_pages(programme, shifted, tmp_path) -> None:  # type: ignore[no-untyped-def]
    world = world_on(programme, shifted, tmp_path)
    world.settings = world.settings.model_copy(update={"customer_secret": type(world.settings.customer_secret)("")})
    from fastapi.testclient import TestClient  # noqa: PLC0415

    from loyalty.app import create_app  # noqa: PLC0415

    assert TestClient(create_app(programme, world.settings)).get("/my/sign-in").status_code == 404
