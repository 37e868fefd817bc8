"""The till: scanning, checking, confirming; and what it says when something is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from clearing.kit.database import Database
from console.till.offers import Offer
from console.till.words import plain_words
from pages.forms import Form
from pages.presentation import Presentation, presented
from tests.console.sending import Sheet, opened
from tests.console.site import Merchant, Person, Site, signed_in
from tongdui import APIError, Client, testing, yuan

_WAIT = 60.0


def card_with(site: Site, number: str, points: int) -> str:
    """A card of the gas station."""
    station = site.merchants["FUEL"].client
    station.members.create(external_id=number)
    station.issuances.create(program="FUEL", member=f"external:{number}", points=points, wait=_WAIT).settled()
    return number


def scan(page: Page, text: str, points: int) -> None:
    """As a scanner types, and a cashier after it."""
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.get_by_label("积分", exact=True)).to_be_focused()
    page.keyboard.type(str(points))
    page.keyboard.press("Enter")


def confirm(page: Page) -> None:
    """One key; pressed twice, it acts once."""
    page.locator("form[data-settles=yes]").wait_for()
    expect(page.get_by_role("button", name="确认")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")


def test_a_cashier_scans_checks_and_confirms_with_the_keyboard_alone(
    site: Site, someone: Callable[..., Person]
) -> None:
    station = site.merchants["FUEL"].client
    card = card_with(site, "TILL-1", 200)
    cashier = someone("merchant:cashier", language="zh")
    page = cashier.open("/cashier")
    expect(page.get_by_label("会员卡号或会员码")).to_be_focused()
    page.locator("body").click(position={"x": 700, "y": 880})  # somebody touches the page
    scan(page, card, 38)
    expect(page.get_by_text("核销 200 中的 38 FUEL 积分")).to_be_visible()
    expect(page.get_by_text("剩余 162")).to_be_visible()
    cashier.check("cashier-asked")
    assert station.redemptions.list(member=f"external:{card}").page().data == ()
    confirm(page)
    expect(page.get_by_text("完成", exact=True)).to_be_visible()
    cashier.check("cashier-done")
    (done,) = station.redemptions.list(member=f"external:{card}").page().data
    assert done.settled().points == 38
    expect(page.locator(".till-done").get_by_text(done.id)).to_be_visible()
    expect(page.get_by_label("会员卡号或会员码")).to_be_focused()

    page.get_by_text("FUEL 兑换 MART").click()
    scan(page, card, 100)
    expect(page.get_by_text("162 中的 100 FUEL 积分兑换成 90 MART")).to_be_visible()
    confirm(page)
    expect(page.locator(".till-done").get_by_text("100 FUEL 积分兑换成 90 MART")).to_be_visible()

    row = page.get_by_role("row").filter(has_text="核销")
    row.get_by_role("link", name="退回").click()
    expect(page.get_by_text("最多可退回 38")).to_be_visible()


def test_a_member_code_is_scanned_or_typed(site: Site, someone: Callable[..., Person]) -> None:
    station, wash = site.merchants["FUEL"].client, site.merchants["WASH"]
    member = station.members.get(f"external:{card_with(site, 'CODE-1', 500)}")
    shown, read_out = (station.members.create_code(member, points=200, program="FUEL") for _ in range(2))
    cashier = someone("merchant:admin", language="zh", width="phone", token=site.strangers["WASH"])
    page = cashier.open("/cashier")
    scan(page, str(shown.qr), 38)
    expect(page.get_by_text("38 FUEL 积分抵付 ¥0.38")).to_be_visible()
    cashier.check("cashier-asked-code")
    confirm(page)
    expect(page.get_by_text("完成", exact=True)).to_be_visible()
    cashier.check("cashier-done-code")
    scan(page, str(read_out.code).lower().replace("-", " "), 200)
    expect(page.get_by_text("200 FUEL 积分抵付 ¥2.00")).to_be_visible()
    confirm(page)
    expect(page.locator(".till-done").get_by_text("200 FUEL 积分抵付 ¥2.00")).to_be_visible()
    spends = wash.client.spends.list(direction="in").page().data
    assert [one.settled().points for one in spends if one.member == spends[0].member][:2] == [200, 38]
    cashier.excused.append("status 422")
    cashier.excused.append("status of 422")
    scan(page, str(shown.qr), 10)
    expect(page.get_by_text("这个码已用过。请会员出示新码。")).to_be_visible()
    cashier.check("cashier-refused-code")


def keyed(sheet: Sheet, offer: str, who: str, points: str, reference: str = "") -> Sheet:
    """What is typed at a till, sent to be checked."""
    return sheet.send("/cashier", offer=offer, who=who, points=points, reference=reference, step="check")


def test_what_is_wrong_is_said_in_plain_words_with_numbers(site: Site) -> None:
    station = site.merchants["FUEL"].client
    card = card_with(site, "PLAIN-1", 38)
    frozen = card_with(site, "PLAIN-2", 38)
    station.members.freeze(f"external:{frozen}", reason="stolen")
    exchange = f"exchange:{site.agreements['FUEL', 'MART'].id}"
    with site.http(site.seats["merchant:cashier"]) as http:
        till = opened(http, "/cashier")
        few = keyed(till, "redeem:FUEL", card, "200")
        unknown = keyed(till, "redeem:FUEL", "PLAIN-9", "1")
        cold = keyed(till, "redeem:FUEL", frozen, "1")
        code = keyed(till, "redeem:FUEL", "tongdui:code:K7Q2M9XD4R", "1")
        much = keyed(till, exchange, card, "100001")
        words = keyed(till, "redeem:FUEL", card, "many")
        nothing = keyed(till, "redeem:FUEL", "", "1")
        none = keyed(till, "redeem:OTHER", card, "1")
    assert few.error("points") == "The member has 38 FUEL points. 200 are needed."
    assert few.value("points") == "200"
    assert few.value("who") == card
    assert unknown.error("who") == "No member of yours has this number. Scan again, or register the card."
    assert cold.error("who").startswith("This member is frozen")
    assert code.error("who") == "This is a member's code. For your own points, scan the card."
    assert much.error("points") == "At most 100,000 points at once."
    assert words.error("points") == "Write a whole number, such as 1,000."
    assert nothing.error("who") == "Fill this in."
    assert none.error("offer") == "Choose one of those offered."
    assert {one.status for one in (few, unknown, cold, code, much, words, nothing, none)} == {422}


def test_a_confirmation_that_is_sent_twice_acts_once(site: Site) -> None:
    card = card_with(site, "TWICE-1", 50)
    with site.http(site.seats["merchant:cashier"]) as http:
        asked = keyed(opened(http, "/cashier"), "redeem:FUEL", card, "20")
        first, second = (asked.send("/cashier", step="do") for _ in range(2))
        back = asked.send("/cashier", step="edit")
    assert first.leads_to == second.leads_to
    assert back.value("who") == card
    assert len(site.merchants["FUEL"].client.redemptions.list(member=f"external:{card}").page().data) == 1


def test_codes_that_do_not_fit_say_so_and_too_many_of_them_say_how_long_to_wait(site: Site) -> None:
    """At a merchant of its own: its till is closed for minutes afterwards."""
    station = site.merchants["FUEL"].client
    member = station.members.get(f"external:{card_with(site, 'TRIES-1', 500)}")
    joined = site.operator.merchants.create(name="试错小店", managed_key=True, wait=_WAIT)
    scopes = ["spend", "agree", "read", "members", "redeem"]
    key = testing.first_key(site.operator, site.treasury, joined, scopes)
    terms = station.agreements.propose(
        source_program="FUEL",
        target_merchant=joined.id,
        unit_price_micros=yuan("0.01"),
        max_points=100_000,
        daily_cap=1_000_000,
        fee_bps=50,
        initiators=("target",),
        valid_until=datetime.now(UTC) + timedelta(days=30),
    )
    with closing(Database(site.network.settings.database_url)) as database:
        shop_of = Merchant(joined.id, joined.name, "TRIES", key, Client(site.network.url, key))
        token = signed_in(site, database, "admin@tries.example", "admin", shop_of)
    with shop_of.client as shop:
        offer = f"spend:{shop.agreements.sign(terms, wait=_WAIT).id}"
    code = station.members.create_code(member, points=100, program="FUEL")
    void = station.members.create_code(member, points=100, program="FUEL")
    station.members.void_code(member, void)
    with site.http(token) as http:
        till = opened(http, "/cashier")
        over = keyed(till, offer, str(code.code), "101")
        taken_back = keyed(till, offer, str(void.code), "1")
        wrong = [keyed(till, offer, f"AAAAA-{number:05}", "1") for number in range(12)]
    assert over.error("points") == "The member has agreed to at most 100 points. For more, ask for a new code."
    assert taken_back.error("who") == "This code was taken back. Ask the member for a new one."
    assert wrong[0].error("who").startswith("There is no such code")
    assert re.fullmatch(
        r"Too many wrong codes\. Wait (\d+ min \d+ s|\d+ seconds), then scan again\.", wrong[-1].error("who")
    )


OFFER = Offer("spend:agr_x", "spend", "FUEL", "Fuel points", by_code=True, agreement="agr_x", most=500)


@pytest.mark.parametrize(
    ("code", "detail", "said"),
    [
        ("member_code_invalid", "this code is expired; ask the member for a new one", "This code has expired."),
        (
            "member_code_other_program",
            "the member's code is not for points of FUEL",
            "This code is for other points than FUEL.",
        ),
        ("over_daily_cap", "the cap is used up", "So many points can be taken no more today."),
        ("insufficient_liquidity", "the merchant cannot pay", "The merchant that pays for these points cannot pay"),
        ("duplicate_reference", "the reference was used", "This document number was used already."),
    ],
)
def test_each_refusal_has_words_of_its_own(code: str, detail: str, said: str) -> None:
    form = Form()
    with presented(Presentation(language="en")), plain_words(form, OFFER):
        raise APIError(status=422, code=code, detail=detail)
    assert any(sentence.startswith(said) for sentence in (*form.errors.values(), *form.general))


def test_other_refusals_go_on() -> None:
    with pytest.raises(APIError), plain_words(Form(), OFFER):
        raise APIError(status=409, code="queue_full", detail="too much is waiting")
