"""Settlement in the console: bookings asked twice, the bank's file booked once, credit limits; and what others must not see."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect

from clearing.kit.database import Database
from clearing.oversight.statements.models import Statement
from tests.console.own_key import send
from tests.console.site import Person, Site
from tests.support.bank_files import ICBC, Entry, camt, details
from tongdui import yuan


def file_of(*entries: Entry) -> dict[str, Any]:
    """A statement, as a form hands it in."""
    return {"file": ("statement.xml", camt(entries), "text/xml")}


def references(site: Site) -> list[str]:
    """What is booked, deposits and withdrawals."""
    treasury = site.treasury
    return [one.bank_reference for kind in (treasury.deposits, treasury.withdrawals) for one in kind.list()]


def approved(site: Site, kind: str) -> int:
    """How many bookings of this kind waited, which the operator approves now."""
    waiting = list(site.operator.approvals.list(state="requested", kind=kind))
    for one in waiting:
        site.operator.approvals.approve(one, wait=60)
    return len(waiting)


@pytest.fixture(scope="module")
def statement(site: Site) -> Iterator[str]:
    """A statement of FUEL. The daily job would make it tomorrow."""
    merchant = site.operator.merchants.get(site.merchants["FUEL"].id)
    line = {"kind": "issue", "of": None, "program": 1, "agreement": 0, "count": 3, "points": 37_035, "out": 0}
    money = dict.fromkeys(("received", "paid", "fees_paid", "fees_received"), 0)
    name = f"stm_{merchant.number:013}{20_000:013}"
    with closing(Database(site.network.settings.database_url)) as database, database.session.begin() as session:
        values = {
            "opening": 1_000_000,
            "closing": 3_500_000,
            "deposited": 2_500_000,
            "withdrawn": 0,
            "lines": [line | money],
        }
        session.merge(
            Statement(
                id=name,
                merchant_number=merchant.number,
                day=20_000,
                revision=1,
                last_block=1,
                last_hash=bytes(32),
                created_at=datetime.now(UTC),
                **values,
            )
        )
    return name


def test_the_banks_file_is_compared_and_booked_once(site: Site, someone: Callable[..., Person], tmp_path: Any) -> None:
    path = tmp_path / "statement.xml"
    entries = [
        Entry("300.25", reference="FILE-1", details=[details(debtor="长河石油")]),
        Entry("40", reference="FILE-2", details=[details(debtor="某某公司")]),
        Entry("5000", reference="ICBC-MART", details=[details(debtor="丰收超市")]),
        Entry("19999", reference="ICBC-FUEL", details=[details(debtor="长河石油")]),
        Entry("300.25", reference="FILE-1", details=[details(debtor="长河石油")]),
        Entry("9", reference="FILE-3", status="PDNG"),
    ]
    path.write_bytes(camt(entries, version="08"))
    treasurer = someone("treasury")

    def hand_in() -> Any:
        page = treasurer.open("/settlement/bank-file")
        page.set_input_files("input[type=file]", path)
        page.get_by_role("button", name="比对").click()
        page.wait_for_load_state()
        return page

    page = hand_in()
    rows = page.locator("form table tbody tr")
    said = [re.sub(r"\s+", " ", row) for row in rows.all_inner_texts()]
    for row, standing in zip(said, ["可入账", "属于谁", "已入账", "入账不一致", "文件中重复", "不可入账"], strict=True):
        assert standing in row, row
    treasurer.check("settlement-bank-file-lines")
    page.get_by_label("入账 FILE-2").check()
    page.get_by_label("FILE-2 的商户").select_option(site.merchants["WASH"].id)
    page.get_by_role("button", name="核对所选").click()
    page.get_by_text("叁佰肆拾元贰角伍分").wait_for()
    treasurer.check("settlement-bank-file-review")
    page.get_by_role("button", name="确认入账").click()
    page.get_by_text("2 行中有 2 行等待另一个人批准。").wait_for()
    treasurer.check("settlement-bank-file-done")
    page = hand_in()
    page.get_by_text("此文件没有待入账的明细。").wait_for()
    assert not {"FILE-1", "FILE-2"} & set(references(site)), "another person has to approve them"
    assert approved(site, "deposit") >= 2
    assert [references(site).count(name) for name in ("FILE-1", "FILE-2", "ICBC-MART")] == [1, 1, 1]


def test_lines_that_are_sent_again_are_booked_once(site: Site) -> None:
    line = {"kind": "deposit", "merchant": site.merchants["FUEL"].id, "micros": 7_000_000, "reference": "AGAIN-1"}
    form = {"lines": json.dumps([line]), "idempotency_key": "half-way"}
    first, second = (send(site, "treasury", "/settlement/bank-file/book", form) for _ in range(2))
    assert "1 of 1 lines wait for the approval of another person." in first.text
    assert "1 of 1 lines wait for the approval of another person." in second.text, (
        "the same request gets the same answer"
    )
    asked_for = send(site, "treasury", "/settlement/bank-file/book", form | {"idempotency_key": "meanwhile"})
    assert "The same is asked for already, and waits for approval." in asked_for.text
    approved(site, "deposit")
    other = send(site, "treasury", "/settlement/bank-file/book", form | {"idempotency_key": "another-page"})
    assert "The bank reference was booked before." in other.text
    assert references(site).count("AGAIN-1") == 1


def test_a_withdrawal_that_the_network_refuses_is_said_beside_its_line(site: Site) -> None:
    line = {
        "kind": "withdrawal",
        "merchant": site.merchants["WASH"].id,
        "micros": yuan(9_000_000),
        "reference": "TOO-MUCH",
    }
    answer = send(site, "treasury", "/settlement/bank-file/book", {"lines": json.dumps([line])})
    assert "The position does not cover the withdrawal." in answer.text
    assert "TOO-MUCH" not in references(site)


def test_bookings_that_the_file_lacks_are_reported_for_its_days(site: Site) -> None:
    today = site.treasury.network.get().today.isoformat()
    form = {"first_day": today, "last_day": today}
    files = file_of(Entry("5000", reference="ICBC-MART", day=today, details=[details(debtor="丰收超市")]))
    missing = send(site, "treasury", "/settlement/bank-file", form, files).text.split('id="missing"')[1]
    assert "ICBC-FUEL" in missing
    assert "ICBC-MART" not in missing
    answer = send(
        site, "treasury", "/settlement/bank-file", form | {"first_day": "2020-01-01", "last_day": "2020-01-02"}, files
    )
    assert "The file has no line on these days." in answer.text


@pytest.mark.parametrize(
    ("form", "content", "field", "sentence"),
    [
        ({}, b"<Document><a></Document>", "file", "The XML is broken at line 1"),
        ({}, camt([Entry("1,5", reference="a")]), "file", "Stmt[1]/Ntry[1]"),
        ({}, b"", "file", "The file is empty."),
        ({"day": "", "reference": "b", "amount": "c"}, b"a,b\n", "day", "A table needs this column."),
        ({"day": "a", "reference": "b"}, b"a,b\n", "amount", "A table needs a column with amounts."),
        ({"day": "a", "reference": "b", "amount": "c", "incoming": "d"}, b"a,b\n", "amount", "Name either one column"),
        ({"day": "a", "reference": "b", "amount": "xx"}, b"a,b\n1,2\n", "file", "missing: xx"),
        ({"first_day": "2026-11-02", "last_day": "2026-11-01"}, b"<a/>", "last_day", "must not be before"),
    ],
)
def test_a_bad_file_is_answered_beside_its_field(
    site: Site, form: dict[str, str], content: bytes, field: str, sentence: str
) -> None:
    answer = send(site, "treasury", "/settlement/bank-file", form, {"file": ("f", content, "text/plain")})
    assert answer.status_code == 422
    assert sentence in answer.text.split(f'id="f-{field}-error"')[1][:500]
    for name, typed in form.items():
        assert f'name="{name}"' in answer.text
        assert f'value="{typed}"' in answer.text, "what was typed is kept"


def test_a_table_with_declared_columns_is_compared(site: Site) -> None:
    columns = {
        "day": "交易日期",
        "reference": "交易流水号",
        "incoming": "贷方发生额",
        "outgoing": "借方发生额",
        "name": "对方户名",
        "text": "摘要",
    }
    answer = send(site, "treasury", "/settlement/bank-file", columns, {"file": ("icbc.csv", ICBC, "text/csv")})
    assert answer.status_code == 200
    assert "HQ20261124001" in answer.text
    assert "+¥20,000.00" in answer.text


def test_money_is_booked_by_hand_after_a_second_look(site: Site, someone: Callable[..., Person]) -> None:
    treasurer = someone("treasury")
    page = treasurer.open("/settlement/deposits/new")
    page.select_option("#f-merchant", site.merchants["WASH"].id)
    page.fill("#f-micros", "1,234.5")
    page.fill("#f-bank_reference", "ICBC-MART")
    page.fill("#f-reason", "对账单第 14 行")
    page.get_by_role("button", name="继续").click()
    page.get_by_text("壹仟贰佰叁拾肆元伍角").wait_for()
    treasurer.check("settlement-book-second")
    assert "ICBC-HAND" not in references(site)
    page.locator("form[data-settles=yes]").wait_for()
    page.get_by_role("button", name="提交申请").click()
    assert page.locator("#f-bank_reference-error").inner_text() == "该银行流水号已入账。"
    treasurer.excused.append("409|422")
    page.fill("#f-bank_reference", "ICBC-HAND")
    page.get_by_role("button", name="继续").click()
    page.locator("form[data-settles=yes]").wait_for()
    page.get_by_role("button", name="提交申请").click()
    page.get_by_text("申请已提交，须由另一个人批准。").wait_for()
    expect(page.get_by_text("须由运营方或资金管理方的另一个人决定。")).to_be_visible()
    treasurer.check("approvals-mine")
    assert "ICBC-HAND" not in references(site)
    operator = someone("operator")
    shown = operator.open("/operations")
    shown.get_by_role("link", name="查看").first.click()
    operator.check("approvals-list")
    shown.get_by_role("link", name="去审批").first.click()
    expect(shown.get_by_text("对账单第 14 行")).to_be_visible()
    operator.check("approvals-one")
    shown.get_by_role("button", name="批准").first.click()
    shown.get_by_role("dialog").get_by_role("button", name="批准").click()
    shown.get_by_text("已批准，即刻生效。").wait_for()
    assert references(site).count("ICBC-HAND") == 1


def test_the_operator_sets_a_credit_limit(site: Site) -> None:
    merchant = site.merchants["WASH"].id
    path = f"/settlement/merchants/{merchant}/credit-limit"
    answer = send(site, "operator", path, {"credit_limit_micros": "x"})
    assert answer.status_code == 422
    assert 'value="x"' in answer.text
    assert send(site, "operator", path, {"credit_limit_micros": "750"}).status_code == 422, "there is no reason"
    asked = send(site, "operator", path, {"credit_limit_micros": "750", "reason": "a guarantee"}).headers["location"]
    assert asked.startswith("/approvals/")
    for seat, sent, status in (
        ("operator", "approve", 403),
        ("auditor", "approve", 403),
        ("treasury", "withdraw", 403),
        ("treasury", "decline", 422),
    ):
        assert send(site, seat, f"{asked}/{sent}", {}).status_code == status, (seat, sent)
    with site.http(site.seats["treasury"]) as http:
        assert "a guarantee" in http.get(asked).text
        assert "request" in http.get("/settlement").text
    assert send(site, "treasury", f"{asked}/decline", {"reason": "no such paper"}).status_code == 303
    with site.http(site.seats["operator"]) as http:
        assert "no such paper" in http.get(asked).text
    assert send(site, "treasury", path, {"credit_limit_micros": "750"}).status_code == 403
    assert send(site, "merchant:admin", path, {"credit_limit_micros": "750"}).status_code == 403


def test_statements_are_shown_and_come_as_a_table(site: Site, statement: str) -> None:
    with site.http(site.seats["merchant:accountant"]) as http:
        assert "¥3.50" in http.get(f"/settlement/statements/{statement}").text
        for path in (f"/settlement/statements/{statement}/csv", "/settlement/statements/csv?from=2024-01-01"):
            table = http.get(path)
            assert table.headers["content-type"].startswith("text/csv")
            assert "3500000" in table.text
    with site.http(site.strangers["MART"]) as http:
        assert http.get(f"/settlement/statements/{statement}").status_code == 404
        assert http.get(f"/settlement/statements/{statement}/csv").status_code == 404
        assert "3500000" not in http.get("/settlement/statements/csv").text


def test_a_merchant_sees_its_own_money_only(site: Site) -> None:
    (other,) = site.treasury.deposits.list(bank_references=["ICBC-MART"]).page().data
    with site.http(site.seats["merchant:viewer"]) as http:
        shown = http.get("/settlement/deposits").text
        assert "ICBC-FUEL" in shown
        assert "ICBC-MART" not in shown
        assert (
            "ICBC-MART"
            not in http.get(f"/settlement/deposits?merchant={site.merchants['MART'].id}").text.split("<tbody>")[-1]
        )
        assert http.get(f"/settlement/deposits/{other.id}").status_code == 404
        for path in ("bank-file", "deposits/new", f"merchants/{site.merchants['MART'].id}"):
            assert http.get(f"/settlement/{path}").status_code == 403, path
        assert http.get("/settlement/nothing").status_code == 404
    for path in ("bank-file", "bank-file/review", "bank-file/book", "deposits/new", "withdrawals/new"):
        assert send(site, "merchant:admin", f"/settlement/{path}", {}).status_code == 403, path
        assert send(site, "operator", f"/settlement/{path}", {}).status_code == 403, path


def test_lines_that_are_no_lines_are_refused(site: Site) -> None:
    for lines in ("", "[{}]", '[{"kind":"deposit","merchant":"m","micros":1.5,"reference":"r"}]'):
        assert send(site, "treasury", "/settlement/bank-file/book", {"lines": lines}).status_code == 400


def test_what_a_merchant_pays_in_can_be_paid_out_when_it_is_approved(site: Site) -> None:
    wash = site.merchants["WASH"].id
    before = site.treasury.positions.get(wash).position_micros
    paid_in, out = yuan(500) + max(-before, 0), yuan(400) + max(before, 0)
    lines = [
        {"kind": "withdrawal", "merchant": wash, "micros": out, "reference": "BOTH-OUT"},
        {"kind": "deposit", "merchant": wash, "micros": paid_in, "reference": "BOTH-IN"},
        {"kind": "deposit", "merchant": "?", "micros": 1, "reference": "BOTH-NOBODY"},
    ]
    form = {"lines": json.dumps(lines), "chosen": ["0", "1", "2"]}
    review = send(site, "treasury", "/settlement/bank-file/review", form)
    assert "because no merchant was chosen: BOTH-NOBODY." in review.text
    form = {"lines": json.dumps(lines[:2])}
    answer = send(site, "treasury", "/settlement/bank-file/book", form)
    assert "1 of 2 lines wait for the approval of another person." in answer.text
    assert "Not all is asked for" in answer.text
    assert answer.text.index("BOTH-OUT") < answer.text.index("BOTH-IN"), "in the file's order"
    approved(site, "deposit")
    answer = send(site, "treasury", "/settlement/bank-file/book", form)
    assert "1 of 2 lines wait for the approval of another person." in answer.text
    assert approved(site, "withdrawal") == 1
    assert references(site).count("BOTH-OUT") == 1
