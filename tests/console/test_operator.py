"""What the operator sees and does: pausing, orders that wait, alerts, the audit log, and taking a merchant on board."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from playwright.sync_api import expect
from sqlalchemy import delete, select

from clearing.chain import contract
from clearing.chain.client import ChainClient
from clearing.kit.database import Database
from clearing.parties.programs.models import Program
from tests.console.sending import opened, posted
from tests.console.site import Person, Site
from tests.gateway.site import until
from tongdui import testing, yuan


def test_the_network_is_paused_an_order_cancelled_and_it_goes_on(site: Site, someone: Callable[..., Person]) -> None:
    operator = someone("operator")
    page = operator.open("/operations")
    page.get_by_role("button", name="暂停…").click()
    page.get_by_role("dialog").get_by_role("button", name="立即暂停").click()
    expect(page.locator("#f-reason-error")).to_be_visible()
    operator.excused.append("422")
    page.fill("#f-reason", "迁移节点")
    page.get_by_role("button", name="暂停…").click()
    assert site.operator.operations.get().pause is None, "nothing happens before it is confirmed"
    page.get_by_role("dialog").get_by_role("button", name="立即暂停").click()
    expect(page.get_by_text("由 沈和 暂停").first).to_be_visible()
    try:
        station = site.merchants["FUEL"].client
        station.members.create(external_id="OPS-1")
        waiting = station.issuances.create(program="FUEL", member="external:OPS-1", points=5)
        row = page.locator(f"#order-{waiting.order}")
        expect(row).to_be_visible()  # by itself
        operator.check("operations-paused")
        row.get_by_role("link", name="取消订单").click()
        operator.check("operations-orders-order-cancel")
        page.get_by_role("button", name="确认取消").click()
        expect(page.get_by_text("订单已取消，所占用的已释放。")).to_be_visible()
        assert station.orders.get(waiting.order).state == "cancelled"
        operator.open("/alerts")
        expect(page.get_by_text("网络已被 沈和 暂停。")).to_be_visible()
        expect(page.get_by_text("迁移节点").first).to_be_visible()
        operator.check("alerts-paused")
    finally:
        operator.open("/operations")
        page.get_by_role("button", name="恢复").click()
        page.get_by_role("dialog").get_by_role("button", name="继续").click()
        expect(page.get_by_text("网络已恢复：订单重新进入批次。")).to_be_visible()
        site.operator.operations.resume()
    assert site.operator.operations.get().pause is None


def test_an_auditor_looks_and_does_nothing(site: Site) -> None:
    with site.http(site.seats["auditor"]) as http:
        assert "/operations/pause" not in opened(http, "/operations").text
        for action, values in {
            "/operations/pause": {"reason": "no"},
            "/operations/resume": {},
            "/operations/quarantine/retry": {},
            "/merchants/new": {"name": "No", "keeper": "managed"},
            f"/merchants/{site.merchants['WASH'].id}/programs": {"code": "NO", "name": "No"},
            f"/merchants/{site.merchants['WASH'].id}/invitations": {
                "email": "a@b.example",
                "language": "en",
                "reason": "no",
            },
        }.items():
            assert posted(http, "/operations", action, **values).status == 403, action
    assert site.operator.operations.get().pause is None


def test_nothing_in_quarantine_is_tried_again(site: Site) -> None:
    with site.http(site.seats["operator"]) as http:
        done = posted(http, "/operations", "/operations/quarantine/retry")
        assert done.leads_to == "/operations/quarantine"
        assert "0 applied, 0 failed again." in opened(http, "/operations/quarantine").text


@contextmanager
def quarantined(site: Site) -> Iterator[Callable[[], None]]:
    """Has an event in quarantine: a program registered past the gateway, while a stale row has its code. Yields how to mend it."""
    with (
        closing(ChainClient(site.network.rpc_url)) as node,
        closing(Database(site.network.settings.database_url)) as database,
    ):
        admin = "0x" + json.loads((site.network.settings.keystore_dir / "admin.json").read_text())["address"]
        contract_address = site.operator.network.get().contract

        def send(sender: str, function: str, arguments: list[Any]) -> None:
            data = "0x" + contract.encode_call(function, arguments).hex()
            node.call("anvil_impersonateAccount", sender)
            node.call(
                "eth_sendTransaction",
                {"from": sender, "to": contract_address, "data": data, "gas": "0xf4240", "gasPrice": "0x0"},
            )
            node.call("anvil_stopImpersonatingAccount", sender)

        with database.session.begin() as session:
            number = max(session.scalars(select(Program.number))) + 1
            session.add(Program(number=number + 1_000, id="prg_stale", merchant_number=0, code="STALE", name="Stale"))

        def mend() -> None:
            with database.session.begin() as session:
                session.execute(delete(Program).where(Program.id == "prg_stale"))

        try:
            # A person's own account: the operator's has numbered transactions of the sequencer under way.
            send(admin, "setRole", [0, SOMEBODY, True])
            send(SOMEBODY, "registerProgram", [number, 0, word("STALE"), word("Stale")])
            until(lambda: site.operator.operations.get().quarantined_events, 60)
            yield mend
        finally:
            mend()


def word(text: str) -> str:
    """A short text as the contract stores it."""
    return "0x" + text.encode().ljust(32, b"\0").hex()


SOMEBODY = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
"""An account of the test chain that nobody uses."""


def test_an_event_in_quarantine_is_seen_by_the_operator_and_applied_once_its_cause_is_mended(
    site: Site, someone: Callable[..., Person]
) -> None:
    with quarantined(site) as mend:
        operator, auditor = someone("operator"), someone("auditor", language="en", width="phone")
        page = operator.open("/operations")
        page.locator("main a[href='/operations/quarantine']").first.click()
        expect(page.locator("tbody")).to_contain_text("ProgramRegistered")
        expect(page.locator("tbody")).to_contain_text("IntegrityError")
        operator.check("operations-quarantine-one")
        operator.open("/alerts")
        expect(page.locator("main")).to_contain_text("有链上事件未能应用")
        operator.check("alerts-quarantine")
        looking = auditor.open("/operations/quarantine")
        expect(looking.locator("tbody")).to_contain_text("ProgramRegistered")
        expect(looking.get_by_role("button", name="Try them again")).to_have_count(0)
        auditor.check("operations-quarantine-one")
        operator.open("/operations/quarantine")
        page.get_by_role("button", name="重试").click()
        expect(page.locator(".flash")).to_contain_text("已应用 0 个，再次失败 1 个")
        mend()
        page.get_by_role("button", name="重试").click()
        expect(page.locator(".flash")).to_contain_text("已应用 1 个，再次失败 0 个")
        expect(page.locator("main")).to_contain_text("隔离区为空")
    assert site.operator.programs.get("STALE").status == "active"
    assert site.operator.operations.get().quarantined_events == 0


def test_an_order_that_has_settled_is_not_cancelled(site: Site) -> None:
    order = site.movements["issue"].order
    with site.http(site.seats["operator"]) as http:
        page = opened(http, f"/operations/orders/{order}/cancel")
        refused = page.send(f"/operations/orders/{order}/cancel")
    assert refused.status == 422
    assert "The order waits for no batch any more." in refused.text


def test_a_merchant_is_taken_on_board_and_left_in_between(site: Site, someone: Callable[..., Person]) -> None:
    with site.http(site.seats["operator"]) as http:
        page = opened(http, "/merchants/new")
        wrong = page.send(
            "/merchants/new",
            name="一家名字长得链上放不下的商店",
            keeper="own",
            signer_address="",
        )
        assert wrong.error("signer_address").startswith("Fill this in")
        typed = {"name": "晨光书店", "keeper": "own", "signer_address": "0x12"}
        wrong = page.send("/merchants/new", **typed)
        assert wrong.status == 422
        assert wrong.error("signer_address") == "Write an address, such as 0x and 40 digits."
        assert wrong.value("signer_address") == "0x12"
        long = page.send("/merchants/new", **{**typed, "name": "一家名字长得链上放不下的商店"})
        assert long.error("name").startswith("This is too long for the chain: 42 bytes")
        right = {**typed, "keeper": "managed", "signer_address": ""}
        done = page.send("/merchants/new", **right)
        path = done.leads_to
        assert page.send("/merchants/new", **right).leads_to == path, "sent again, it happens once"
        merchant = path.rpartition("/")[2]
        assert "On its way to the chain" in opened(http, path).text or site.operator.merchants.get(merchant).is_final
        until(lambda: site.operator.merchants.get(merchant).is_final, 60)

        page = opened(http, path)  # came back to it later
        assert "You can leave and come back" in page.text
        bad = page.send(f"{path}/programs", code="a!", name="书香积分", default_lifetime_days="365")
        assert bad.error("code") == "Use 2 to 12 of the characters A-Z and 0-9."
        taken = page.send(f"{path}/programs", code="fuel", name="书香积分")
        assert taken.error("code") == "The program's code is taken."
        assert taken.value("code").upper() == "FUEL"
        assert taken.send(f"{path}/programs", code="book", name="书香积分").leads_to == path
        until(lambda: site.operator.programs.get("BOOK").is_final, 60)

        page = opened(http, path)
        bad = page.send(f"{path}/invitations", email="nobody", name="", language="zh")
        assert bad.error("email").startswith("Write an email address")
        typed = {"email": "chen@books.example", "name": "陈晨", "language": "zh", "reason": "signed the contract"}
        invited = page.send(f"{path}/invitations", **typed)
        assert re.search(r'data-copy="[a-z0-9]{6}-[-a-z0-9]+"', invited.text), "the network sends no mail"
        assert "tdi_" not in invited.text, "the link is for whoever approves"
        again = page.send(f"{path}/invitations", **typed)
        (asked,) = site.operator.approvals.list(state="requested", merchant=merchant)
        assert again.leads_to == f"/approvals/{asked.id}", "the code is shown once"
        site.treasury.approvals.approve(asked)
        assert "chen@books.example is invited until" in opened(http, path).text

    operator = someone("operator", language="en")
    shown = operator.open(path)
    operator.check("merchants-joining")
    shown.get_by_role("button", name="Take back").click()
    shown.get_by_role("dialog").get_by_role("button", name="Take it back").click()
    expect(shown.get_by_text("The invitation is taken back.")).to_be_visible()
    assert site.operator.invitations.list(merchant=merchant).page().data == ()
    asked = site.operator.invitations.request(
        email="chen@books.example", title="admin", merchant=merchant, reason="once more"
    )
    link = str(site.treasury.approvals.approve(asked).link)
    with site.http() as guest:
        page = opened(guest, link[link.index("/invitation") :])
        joining = {
            "token": link.rpartition("=")[2],
            "password": "long-enough-for-books",
            "again": "long-enough-for-books",
        }
        wrong = page.send("/invitation", **joining, name="陈晨", code="guessed")
        assert wrong.error("code") == "The code of the invitation is missing or wrong."
        assert wrong.send("/invitation", **joining, name="陈晨", code=asked.code).status in (200, 303)
    operator.open(path)
    expect(shown.get_by_text("The merchant takes part.")).to_be_visible()
    expect(shown.get_by_text("chen@books.example")).to_be_visible()


def test_the_audit_log_is_filtered_by_its_address_and_shows_differences(site: Site) -> None:
    wash = site.merchants["WASH"]
    for limit in (600, 500):
        testing.lend(site.operator, site.treasury, site.operator.merchants.get(wash.id), yuan(limit))
    with site.http(site.seats["operator"]) as http:
        text = opened(http, f"/audit?type=merchant.credit_limit_requested&subject={wash.id}").text
        assert re.search(r"<del>.*¥600.00.*</del>", text)
        assert re.search(r"<ins>.*¥500.00.*</ins>", text)
        assert "merchant.registered" not in text.partition("<tbody>")[2]
        nothing = opened(http, f"/audit?subject={wash.id}&to=2020-01-01").text
        assert "Nobody did anything as the filters ask." in nothing
        wrong = opened(http, "/audit?from=2026-13-01&type=merchant.registered")
        assert wrong.status == 422
        assert "Enter a day" in wrong.text
        assert wrong.value("from") == "2026-13-01"
        assert '<option value="merchant.registered" selected>' in wrong.text
        strange = opened(http, "/audit?type=planet.moved").text
        assert '<option value="planet.moved" selected>' in strange, "a link to what is new here stays what it was"
