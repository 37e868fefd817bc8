"""Agreements in the console: proposed with the calculator, signed, replaced and ended; and what another merchant must not see."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.console.own_key import own_key, send
from tests.console.site import Person, Site
from tongdui import Agreement, yuan

FORM = {
    "source_program": "FUEL",
    "target_program": "MART",
    "rate": "9/10",
    "unit_price_micros": "0.01",
    "fee_bps": "0.5",
    "max_points": "1,000",
    "daily_cap": "10,000",
    "initiators": "source",
    "valid_until": "2099-01-01T00:00",
    "points": "1000",
}


def proposal(site: Site, giver: str = "MART", taker: str = "WASH", **terms: object) -> Agreement:
    """Terms that MART proposes to WASH, and has signed; WASH has not."""
    wanted: dict[str, object] = {
        "source_program": giver,
        "target_merchant": site.merchants[taker].id,
        "unit_price_micros": yuan("0.02"),
        "max_points": 1_000,
        "daily_cap": 5_000,
        "valid_until": datetime.now(UTC) + timedelta(days=20),
        **terms,
    }
    return site.merchants[giver].client.agreements.propose(**wanted)  # type: ignore[arg-type]


def test_an_agreement_is_proposed_signed_replaced_and_ended(site: Site, someone: Callable[..., Person]) -> None:
    left = ["ERR_ABORTED", "htmx:(afterRequest|sendAbort|sendError)"]  # a page that is left ends its requests
    market = someone("merchant:admin", token=site.strangers["MART"])
    market.excused += left
    page = market.open("/agreements/new?kind=acceptance")
    page.select_option("#f-source_program", "MART")
    page.select_option("#f-target_merchant", site.merchants["WASH"].id)
    page.fill("#f-unit_price_micros", "0.02")
    page.fill("#f-points", "250")
    said = page.locator("#calculator")
    said.get_by_text("您付给净悦洗车 ¥5.00").wait_for()
    page.fill("#f-max_points", "900")
    page.fill("#f-daily_cap", "100")
    page.get_by_role("button", name="提出协议").click()
    assert page.locator("#f-daily_cap-error").inner_text() == "日上限不能低于单笔上限。"
    assert page.input_value("#f-max_points") == "900", "what was typed is kept"
    market.excused.append("422")
    market.check("agreements-new-refused")
    page.fill("#f-daily_cap", "9,000")
    page.get_by_role("button", name="提出协议").click()
    page.wait_for_url(re.compile(r"/agreements/agr_"))
    agreement = page.url.rpartition("/")[2]

    wash = someone("merchant:admin", token=site.strangers["WASH"])
    wash.excused += left
    page = wash.open("/agreements?state=proposed")
    page.get_by_text("待您签署").first.wait_for()
    page = wash.open(f"/agreements/{agreement}")
    page.get_by_role("button", name="签署").click()
    page.locator("#sign").get_by_role("button", name="签署").click()
    page.get_by_text("生效中").first.wait_for(timeout=60_000)

    page = market.open(f"/agreements/{agreement}/supersede")
    page.fill("#f-unit_price_micros", "0.03")
    page.locator("#calculator s", has_text="¥0.02").wait_for()
    market.check("agreements-supersede-changed")
    page.get_by_role("button", name="提出新版本").click()
    page.wait_for_url(re.compile(r"/agreements/agr_"))
    assert page.url.rpartition("/")[2] != agreement
    page.get_by_role("button", name="撤回").click()
    page.locator("#withdraw").get_by_role("button", name="确认撤回").click()
    page.get_by_text("提案已撤回").wait_for()

    page = market.open(f"/agreements/{agreement}/terminate")
    page.get_by_role("button", name="继续").click()
    page.get_by_text("协议立即结束。").wait_for()
    market.check("agreements-terminate-second")
    page.locator("form[data-settles=yes]").wait_for()
    page.get_by_role("button", name="确认终止").click()
    page.wait_for_url(re.compile(rf"{agreement}$"))
    assert site.operator.agreements.wait(agreement).state == "terminated"


def test_the_calculator_is_exact_and_names_the_cycle_that_terms_would_close(
    site: Site, someone: Callable[..., Person]
) -> None:
    station = someone("merchant:admin", language="en")
    station.excused += [
        "ERR_ABORTED",
        "htmx:(afterRequest|sendAbort|sendError)",
    ]  # a page that is left ends its requests
    page = station.open("/agreements/new")
    page.select_option("#f-target_program", "MART")
    page.fill("#f-rate", "9/10")
    page.fill("#f-fee_bps", "0.5")
    said = page.locator("#calculator")
    said.get_by_text("1,000 FUEL become 900 MART.").wait_for()
    said.get_by_text("You pay ¥9.00 to 丰收超市, and the operator a fee of ¥0.045.").wait_for()
    page.select_option("#f-source_program", "MART")
    page.select_option("#f-target_program", "FUEL")
    page.fill("#f-rate", "6/5")
    said.get_by_text(re.compile("27 .* out of nothing|25 MART would come back as 27")).wait_for()
    assert "MART → FUEL → MART" in said.inner_text()
    said.locator("svg").first.wait_for()
    station.check("agreements-cycle")
    page.get_by_role("button", name="Propose").click()
    page.get_by_text("The rates would make points out of nothing.").first.wait_for()
    assert page.input_value("#f-rate") == "6/5"
    station.excused.append("422")


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("rate", "0.9.1", "Write a rate such as 9/10 or 0.9."),
        ("rate", "1/99999999999", "The fraction is too fine for the chain."),
        ("target_program", "FUEL", "Choose another program than the one that is given."),
        ("target_program", "", "Choose one."),
        ("unit_price_micros", "-1", "Write an amount with at most six decimals"),
        ("fee_bps", "101", "Write a percentage"),
        ("valid_until", "tomorrow", "Write a day and a time"),
        ("accept_by", "2099-02-01T00:00", "It must be signed before it ends."),
        ("initiators", "nobody", "Choose from those offered."),
    ],
)
def test_wrong_terms_are_answered_beside_the_field(site: Site, field: str, typed: str, sentence: str) -> None:
    answer = send(site, "merchant:admin", "/agreements/new", FORM | {field: typed})
    assert answer.status_code == 422
    assert sentence in answer.text.split(f'id="f-{field}-error"')[1][:600]
    assert 'value="1,000"' in answer.text, "what was typed is kept"


def test_a_form_sent_twice_proposes_once(site: Site) -> None:
    before = len(site.merchants["FUEL"].client.agreements.list().page().data)
    form = FORM | {"idempotency_key": "propose-twice", "rate": "7/10"}
    first, second = (send(site, "merchant:admin", "/agreements/new", form) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    assert len(site.merchants["FUEL"].client.agreements.list().page().data) == before + 1


def test_another_merchant_sees_and_does_nothing(site: Site) -> None:
    agreement = proposal(site)
    token = site.strangers["FUEL"]
    with site.http(token) as http:
        assert agreement.id not in http.get("/agreements?state=proposed").text
        for path in ("", "/supersede", "/terminate"):
            assert http.get(f"/agreements/{agreement.id}{path}").status_code == 404
    for action in ("sign", "withdraw", "terminate"):
        assert send(site, "merchant:admin", f"/agreements/{agreement.id}/{action}", {}).status_code == 404
    assert site.operator.agreements.get(agreement.id).state == "proposed"
    with site.http(site.seats["operator"]) as http:
        assert http.get(f"/agreements/{agreement.id}").status_code == 200
    assert send(site, "operator", f"/agreements/{agreement.id}/withdraw", {}).status_code == 403


def test_an_own_key_gets_the_digest_to_sign_and_a_bad_signature_is_refused(site: Site) -> None:
    stranger = own_key(site, "远山书店")
    agreement = site.merchants["MART"].client.agreements.propose(
        source_program="MART",
        target_merchant=stranger.id,
        unit_price_micros=yuan("0.01"),
        max_points=10,
        daily_cap=10,
        valid_until=datetime.now(UTC) + timedelta(days=9),
    )
    with site.http(stranger.token) as http:
        shown = http.get(f"/agreements/{agreement.id}").text
    assert agreement.digest in shown
    path = f"/agreements/{agreement.id}/sign"
    answer = send(site, stranger.token, path, {"signature": "0xabc"})
    assert "A signature has 130 hexadecimal digits" in answer.text
    assert 'value="0xabc"' in answer.text
    answer = send(site, stranger.token, path, {"signature": "0x" + "11" * 65})
    assert answer.status_code == 422
    assert "The signature does not count." in answer.text
    signature = stranger.sign(agreement.digest)
    assert send(site, stranger.token, path, {"signature": signature}).status_code == 303
    assert site.operator.agreements.wait(agreement.id, timeout=60).state == "active"
