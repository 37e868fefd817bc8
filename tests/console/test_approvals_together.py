"""Several bookings are approved together, each once, and nothing else with them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.console.own_key import send
from tests.console.site import Person, Site
from tongdui import Approval, yuan

TOGETHER = "/approvals/together"
_files = itertools.count(1)


def deposit(site: Site, reference: str, amount: str) -> Approval:
    """What the treasury asks for."""
    merchant = site.merchants["WASH"].id
    return site.treasury.deposits.create(
        merchant=merchant, micros=yuan(amount), bank_reference=reference, reason="It is in the bank's file."
    )


def withdrawal(site: Site, reference: str, amount: str) -> Approval:
    """What the treasury asks for."""
    merchant = site.merchants["WASH"].id
    return site.treasury.withdrawals.create(
        merchant=merchant, micros=yuan(amount), bank_reference=reference, reason="It has asked for it."
    )


def approve(site: Site, seat: str, *chosen: str, **more: str) -> httpx.Response:
    """What the console answers to the second form."""
    form: Mapping[str, Any] = {"chosen": chosen, "step": "do", **more}
    return send(site, seat, TOGETHER, form)


def states(text: str) -> dict[str, str]:
    """By the bank's reference: what became of it."""
    rows = re.findall(r"<tr>(.*?)</tr>", text.partition("<tbody>")[2], re.DOTALL)
    told = [re.findall(r">\s*([^<>\s][^<>]*?)\s*<", row) for row in rows]
    return {cells[0]: " ".join(cells[3:]) for cells in told}


@pytest.fixture
def waiting(site: Site) -> list[Approval]:
    """Nothing but these three, which are called TOGETHER-n-1 and so on."""
    file = f"TOGETHER-{next(_files)}"
    for kind in ("deposit", "withdrawal"):
        for one in site.treasury.approvals.list(state="requested", kind=kind):
            site.treasury.approvals.withdraw(one)
    return [deposit(site, f"{file}-{number}", f"{number}00.25") for number in (1, 2, 3)]


def test_what_is_found_in_the_banks_statement_is_approved_at_once(
    site: Site, waiting: list[Approval], someone: Callable[..., Person]
) -> None:
    first, second, third = waiting
    operator = someone("operator")
    page = operator.open("/approvals")
    page.get_by_role("link", name="一并批准多笔").click()
    page.get_by_role("checkbox", name=f"选择 {second.change['bank_reference']}").uncheck()
    operator.check("approvals-together")
    page.get_by_role("button", name="核对所选").click()
    expect(page.get_by_text("肆佰元伍角")).to_be_visible()
    expect(page.get_by_text(second.change["bank_reference"])).to_have_count(0)
    operator.check("approvals-together-check")
    page.get_by_role("button", name="全部批准").click()
    expect(page.get_by_role("heading", name="均已批准")).to_be_visible()
    operator.check("approvals-together-done")
    found = {one.id: one.state for one in site.treasury.approvals.list(kind="deposit")}
    assert [found[one.id] for one in (first, second, third)] == ["approved", "requested", "approved"]


def test_each_is_approved_once_and_says_what_became_of_it(site: Site, waiting: list[Approval]) -> None:
    balance = site.treasury.positions.get(site.merchants["WASH"].id).position_micros
    last = withdrawal(site, "TOGETHER-OUT", "1")
    first, second, out = (one.change["bank_reference"] for one in [*waiting[:2], last])
    site.treasury.approvals.withdraw(waiting[1])
    form = {"idempotency_key": f"together-{waiting[0].id}"}
    ids = [last.id, *(one.id for one in waiting[:2])]
    for _ in range(2):
        told = states(approve(site, "operator", *ids, **form).text)
        assert list(told) == [first, second, out], "what comes in comes first"
        assert told[first] == "Approved"
        assert told[second].startswith("Refused")
    site.operator.approvals.approve(waiting[0], wait=60)
    booked = [one.bank_reference for one in site.treasury.deposits.list()]
    assert booked.count(first) == 1
    assert site.treasury.positions.get(site.merchants["WASH"].id).position_micros <= balance + yuan("100.25")


def test_nobody_approves_what_is_their_own(site: Site, waiting: list[Approval]) -> None:
    merchant = site.merchants["WASH"].id
    form = {"merchant": merchant, "micros": "5", "bank_reference": "MINE", "reason": "x", "step": "do"}
    mine = send(site, "treasury", "/settlement/deposits/new", form).headers["location"].rpartition("/")[2]
    shown = send(site, "treasury", TOGETHER, {"chosen": [mine]}).text
    assert "MINE" in shown
    assert states(approve(site, "treasury", mine).text) == {
        "MINE": "Refused You have asked for it yourself: another person has to decide."
    }
    with site.http(site.seats["treasury"]) as http:
        assert "MINE" not in http.get(TOGETHER).text
    site.operator.approvals.decline(mine, "only a test")
    for one in waiting:
        site.operator.approvals.decline(one, "only a test")


def test_only_bookings_are_approved_together(site: Site) -> None:
    asked = (
        send(
            site,
            "operator",
            f"/settlement/merchants/{site.merchants['WASH'].id}/credit-limit",
            {"credit_limit_micros": "751", "reason": "a guarantee"},
        )
        .headers["location"]
        .rpartition("/")[2]
    )
    try:
        for chosen in ((asked,), ("apr_nothing",), ("",), ()):
            assert approve(site, "treasury", *chosen).headers["location"] == TOGETHER
        assert site.treasury.approvals.get(asked).state == "requested"
    finally:
        site.treasury.approvals.decline(asked, "only a test")
    assert approve(site, "auditor", asked).status_code == 403
