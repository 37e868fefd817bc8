"""Issuing, transferring and giving back by hand: a check before, one confirmation, and once is once."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.console.sending import opened
from tests.console.site import Person, Site

_WAIT = 60.0


def test_points_are_issued_transferred_and_given_back(site: Site, someone: Callable[..., Person]) -> None:
    station = site.merchants["FUEL"].client
    station.members.register(["HAND-1", "HAND-2"])
    manager = someone("merchant:manager", language="zh")
    page = manager.open("/issue?member=HAND-1")
    page.get_by_label("积分", exact=True).fill("1,200")
    page.get_by_label("失效日").fill("2031-01-31")
    page.get_by_label("原因").fill("洗车等候过久")
    page.get_by_role("button", name="查看结果").click()
    expect(page.get_by_text("+1,200")).to_be_visible()
    manager.check("issue-asked")
    assert station.issuances.list(member="external:HAND-1").page().data == ()
    page.locator("form[data-settles=yes]").wait_for()
    page.get_by_role("button", name="发放 1,200 FUEL").click()
    expect(page.get_by_text("已发放 1,200 FUEL 积分。")).to_be_visible()
    (issued,) = station.issuances.list(member="external:HAND-1").page().data
    assert issued.metadata == {"reason": "洗车等候过久"}
    assert str(issued.expires_on) == "2031-01-31"

    manager.open("/transfer?member=HAND-1")
    page.get_by_label("转入会员").fill("HAND-2")
    page.get_by_label("积分", exact=True).fill("200")
    page.get_by_label("原因").fill("送给家人")
    page.get_by_role("button", name="查看结果").click()
    manager.check("transfer-asked")
    page.locator("form[data-settles=yes]").wait_for()
    page.get_by_role("button", name="转赠 200 FUEL").click()
    expect(page.get_by_text("200 FUEL 积分已转赠给 HAND-2。")).to_be_visible()

    manager.open("/reversals")
    page.get_by_label("哪一笔变动？").fill(issued.id)
    page.get_by_role("button", name="查找").click()
    expect(page.get_by_text("最多可退回 1,200")).to_be_visible()
    page.get_by_label("积分", exact=True).fill("300")
    page.get_by_label("原因").fill("发放过多")
    page.get_by_role("button", name="查看结果").click()
    expect(page.get_by_text("−300")).to_be_visible()
    manager.check("reversals-new-asked")
    page.locator("form[data-settles=yes]").wait_for()
    page.get_by_role("button", name="退回", exact=True).click()
    page.wait_for_url("**/movements/rev_*")
    reversal = station.movements.get(page.url.rpartition("/")[2])
    assert (reversal.reverses, reversal.points) == (issued.id, 300)


def test_what_is_wrong_stands_beside_its_field(site: Site) -> None:
    site.merchants["FUEL"].client.members.register(["FIELD-1", "FIELD-2"])
    with site.http(site.seats["merchant:admin"]) as http:
        issue, gift = opened(http, "/issue"), opened(http, "/transfer")
        right = {"program": "FUEL", "points": "5", "reason": "goodwill"}
        nobody = issue.send("/issue", **right, member="FIELD-9")
        past = issue.send("/issue", **right, member="FIELD-1", expires_on="2020-01-01")
        used = issue.send("/issue", **right, member="FIELD-1", reference="RECEIPT-1001")
        silent = issue.send("/issue", **{**right, "reason": ""}, member="FIELD-1")
        itself = gift.send("/transfer", **right, member="FIELD-1", recipient="FIELD-1")
        poor = gift.send("/transfer", **right, member="FIELD-1", recipient="FIELD-2")
        lost = gift.send("/transfer", **right, member="FIELD-1", recipient="FIELD-9")
    assert nobody.error("member") == "There is no such member."
    assert nobody.value("member") == "FIELD-9"
    assert past.error("expires_on") == "The expiry day is not in the future."
    assert used.error("reference") == "The reference was used before."
    assert silent.error("reason") == "Fill this in."
    assert itself.error("recipient") == "This is the member that gives. Name another one."
    assert poor.error("points") == "The member does not have that many points available."
    assert lost.error("recipient") == "There is no such member."
    assert {one.status for one in (nobody, past, used, silent, itself, poor, lost)} == {422}


def test_a_confirmation_that_is_sent_twice_acts_once(site: Site) -> None:
    station = site.merchants["FUEL"].client
    station.members.register(["ONCE-1"])
    values = {"program": "FUEL", "points": "7", "reason": "goodwill", "member": "ONCE-1"}
    with site.http(site.seats["merchant:admin"]) as http:
        asked = opened(http, "/issue").send("/issue", **values)
        assert [asked.send("/issue", step="do").status for _ in range(2)] == [303, 303]
        (issued,) = station.issuances.list(member="external:ONCE-1").page().data
        path = f"/reversals/new?movement={station.issuances.wait(issued, timeout=_WAIT).id}"
        asked = opened(http, path).send("/reversals/new", points="7", reason="mistake")
        first, second = (asked.send("/reversals/new", step="do") for _ in range(2))
    assert first.leads_to == second.leads_to


def test_what_cannot_be_given_back_says_why(site: Site) -> None:
    mart = site.merchants["MART"].name
    redeemed, exchanged = site.movements["redeem"], site.movements["exchange"]
    with site.http(site.seats["merchant:admin"]) as http:
        other = opened(http, f"/reversals/new?movement={exchanged.id}")
        itself = opened(http, f"/reversals/new?movement={site.movements['reverse'].id}")
        nothing = opened(http, "/reversals").send("/reversals", movement="NO-SUCH-NUMBER")
        too_much = opened(http, f"/reversals/new?movement={redeemed.id}").send(
            "/reversals/new", points="9999", reason="returned"
        )
    assert f"Only {mart}, who took the points in, can give them back. Ask there." in other.text
    assert "This is a reversal itself" in itself.text
    assert nothing.error("movement") == "There is no such movement of yours."
    assert too_much.error("points") == "Less is left to undo."
    assert too_much.value("points") == "9999"
    with site.http(site.strangers["MART"]) as http:
        part = opened(http, f"/reversals/new?movement={exchanged.id}")
        assert "100 are given back already" in part.text
        asked = part.send("/reversals/new", points="100", reason="returned")
        assert "¥" in asked.text, "what the giver pays back"
    with site.http(site.strangers["WASH"]) as http:
        assert opened(http, f"/reversals/new?movement={redeemed.id}").status == 404


def test_a_movement_is_found_by_its_document_number(site: Site) -> None:
    with site.http(site.seats["merchant:admin"]) as http:
        found = opened(http, "/reversals").send("/reversals", movement="RECEIPT-1001")
    assert found.leads_to == f"/reversals/new?movement={site.movements['issue'].id}"


def test_giving_back_fits_a_phone(site: Site, someone: Callable[..., Person]) -> None:
    cashier = someone("merchant:cashier", language="en", width="phone", scheme="dark")
    page = cashier.open(f"/reversals/new?movement={site.movements['redeem'].id}")
    cashier.check("reversals-new")
    page.get_by_label("Reason").fill("returned")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("Returns to the member")).to_be_visible()
    cashier.check("reversals-new-asked")
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_label("Reason")).to_have_value("returned")
    cashier.open(f"/reversals/new?movement={site.movements['exchange'].id}")
    cashier.check("reversals-new-refused")
