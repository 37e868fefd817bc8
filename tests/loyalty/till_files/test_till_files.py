"""A till's export becomes sales and returns, each once; what cannot be booked is named with line, field and what to do."""

from __future__ import annotations

import subprocess
import sys
import threading
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loyalty.commands import main
from loyalty.intake import service as intake
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.kit.errors import Contradiction
from loyalty.staff.models import Role
from loyalty.till_files.documents import Fault, entries_of
from loyalty.till_files.mappings import mapping_named
from loyalty.till_files.models import Fate
from loyalty.till_files.service import TillFileService, fingerprint_of
from loyalty.till_files.work import take_in
from tests.loyalty.intake.shop import done, points, refused
from tests.loyalty.nightly import on_postgresql_by_day
from tests.loyalty.till_files.back_office import BackOffice, fates, fuel, tea
from tongdui.till import TillMapping, read_till


def test_sales_of_a_file_earn(office: BackOffice) -> None:
    customer = office.shop.customer("FC-100001")
    file = office.take_in(
        fuel(1, "FC-100001"), tea(1, "FC-100001", pieces=2), fuel(2, minute=1), tea(3, "FC-999999", minute=2)
    )
    assert (file["state"], file["rows_read"], fates(file)) == ("done", 4, (3, 0, 0, 0))
    first, second, third = office.sales()
    assert (first["customer"], first["business_day"], first["till"], first["number"]) == (
        customer,
        "2026-07-07",
        "1",
        "1",
    )
    assert first["time"] == "2026-07-07T04:00:00Z"
    assert first["lines"] == [
        {
            "number": 1,
            "article": "95#",
            "category": "fuel",
            "quantity_milli": 40_000,
            "unit": "l",
            "amount_micros": 320_000_000,
        },
        {
            "number": 2,
            "article": "Tea",
            "category": "shop",
            "quantity_milli": 2_000,
            "unit": "piece",
            "amount_micros": 6_000_000,
        },
    ]
    assert sum(points(first).values()) > 0
    assert (second["outcome"], third["outcome"], third["shown"]) == ("nobody", "nobody", "card:FC-999999")
    assert office.work() == 0


def test_a_discount_is_taken_off_what_it_belongs_to(office: BackOffice) -> None:
    file = office.take_in(fuel(1), "2026-07-07 12:00:00,1,1,,95#,0,,-20.00,", tea(1))
    assert fates(file) == (1, 0, 0, 0)
    (sale,) = office.sales()
    assert [line["amount_micros"] for line in sale["lines"]] == [300_000_000, 3_000_000]


def test_a_file_again_is_harmless(office: BackOffice) -> None:
    rows = fuel(1), tea(2, minute=1)
    first = office.take_in(*rows)
    second = office.take_in(*rows)
    assert second["id"] == first["id"]
    assert (fates(first), fates(second)) == ((2, 0, 0, 0), (0, 2, 0, 0))
    assert len(office.sales()) == 2


def test_what_was_refused_is_booked_when_the_reason_is_gone(office: BackOffice) -> None:
    rows = fuel(1), tea("R1", pieces=-1, original="77", minute=5)
    assert fates(office.take_in(*rows)) == (1, 0, 0, 1)
    office.take_in(tea(77, pieces=2, minute=1))
    again = office.take_in(*rows)
    assert fates(again) == (1, 1, 0, 0)
    assert office.refusals(again) == []


def test_a_document_that_says_something_else_is_not_booked(office: BackOffice) -> None:
    office.take_in(fuel(1), tea(2, pieces=2, minute=1), tea("R3", pieces=-1, original="2", minute=2))
    file = office.take_in(
        fuel(1, litres="41"), tea(2, pieces=2, minute=1), tea("R3", pieces=-2, original="2", minute=2)
    )
    assert fates(file) == (0, 1, 2, 0)
    assert office.refusals(file) == [("differs", 2, "sale", "1"), ("differs", 4, "sale", "R3")]
    assert all("correct it" in detail for detail in office.details(file))


def test_each_refusal_names_line_field_and_what_to_do(office: BackOffice) -> None:
    """And none of them keeps its neighbours from being booked."""
    file = office.take_in(
        fuel(1),
        fuel(2, litres="abc", minute=1),
        fuel(3, litres="38.2345", minute=2),
        "2026-07-07 12:03:00,1,4,,Tea,0.5,,1.50,",
        "2026-07-07 12:04:00,1,5,,Oil,500,ml,9.00,",
        fuel("6:7", minute=5),
        tea(8, "F!", minute=6),
        tea("R9", pieces=-1, original="1000", minute=7),
        tea("R10", pieces=-1, minute=8),
        "2026-07-07 12:09:00,1,R11,,Tea,0,,-1.00,",
        tea(12, minute=10),
    )
    assert fates(file) == (2, 0, 0, 9)
    found = {number: (line, field) for _, line, field, number in office.refusals(file)}
    assert found == {
        "2": (3, "quantity"),
        "3": (4, "quantity"),
        "4": (5, "unit"),
        "5": (6, "unit"),
        "6:7": (7, "sale"),
        "8": (8, "customer"),
        "R9": (9, "original"),
        "R10": (10, "original"),
        "R11": (11, "article"),
    }
    said = " ".join(office.details(file))
    for fix in (
        "export no more",
        "send the sale's file first",
        "POST /v1/returns",
        "POST /v1/corrections",
    ):
        assert fix in said, fix


def test_a_malformed_row_holds_back_its_sale_only(office: BackOffice) -> None:
    file = office.take_in(fuel(1), "2026-07-07 12:00:00,1,1,,Tea,x,瓶,3.00,", fuel(2, minute=1))
    assert office.refusals(file) == [("refused", 3, "quantity", "1"), ("refused", 2, "sale", "1")]
    assert [sale["number"] for sale in office.sales()] == ["2"]


# ---------------------------------------------------------------- what comes back


def test_a_return_takes_back_what_its_sale_earned(office: BackOffice) -> None:
    office.shop.customer("FC-100001")
    file = office.take_in(
        fuel(1, "FC-100001"), fuel("R1", "FC-100001", litres="-20", yuan="-160.00", minute=30).rstrip(",") + ",1"
    )
    assert fates(file) == (2, 0, 0, 0)
    (sale,) = office.sales()
    (returned,) = sale["returns"]
    assert returned["lines"] == [{"number": 1, "quantity_milli": 20_000, "amount_micros": 160_000_000}]
    assert all(award["taken_back"] > 0 for award in sale["awards"] if award["points"] > 1)


@pytest.mark.parametrize("customer", ["FC-100001", ""])
def test_a_return_finds_its_sale_by_customer_or_by_number(office: BackOffice, customer: str) -> None:
    """The latest of the customer's that has so much left; without a customer, the sale of its own number on its own day."""
    office.shop.customer("FC-100001")
    office.take_in(tea(1, customer, pieces=3), tea(2, customer, pieces=1, minute=1))
    file = office.take_in(tea("R9" if customer else "1", customer, pieces=-2, minute=9))
    assert fates(file) == (1, 0, 0, 0)
    first, second = office.sales()
    assert [len(first["returns"]), len(second["returns"])] == [1, 0]
    rest = office.take_in(tea("R10" if customer else "2", customer, pieces=-1, minute=10))
    assert fates(rest) == (1, 0, 0, 0)
    first, second = office.sales()
    assert [len(first["returns"]), len(second["returns"])] == [1, 1]


def test_a_return_of_a_discounted_article_takes_back_its_part_of_what_was_paid(office: BackOffice) -> None:
    """In parts, and together all of it."""
    office.take_in(tea(1, pieces=3), "2026-07-07 12:00:00,1,1,,Tea,0,,-2.00,")
    for number in ("R1", "R2", "R3"):
        assert fates(office.take_in(tea(number, pieces=-1, original="1", minute=5))) == (1, 0, 0, 0)
    assert fates(office.take_in(tea("R4", pieces=-1, original="1", minute=5))) == (0, 0, 0, 1)
    (sale,) = office.sales()
    assert sum(line["amount_micros"] for one in sale["returns"] for line in one["lines"]) == 7_000_000


def test_a_return_of_a_corrected_sale_is_booked_on_the_right_one(office: BackOffice) -> None:
    office.take_in(tea(1, pieces=3))
    (wrong,) = office.sales()
    document = {name: wrong[name] for name in ("business_day", "till", "number")}
    lines = [{**line, "quantity_milli": 2_000} for line in wrong["lines"]]
    right = {**document, "number": "1-2", "time": "2026-07-07T12:00:00+08:00", "lines": lines}
    done(
        office.shop.api.post(
            "/v1/corrections", {"station": "S17", "reason": "two, not three", "wrong": document, "right": right}
        )
    )
    assert fates(office.take_in(tea("R1", pieces=-2, original="1", minute=5))) == (1, 0, 0, 0)
    assert [len(sale["returns"]) for sale in office.sales() if sale["number"] == "1-2"] == [1]


# ---------------------------------------------------------------- files and mappings


PHONES = """
[columns]
time = "when"
sale = "no"
customer = "phone"
article = "what"
quantity = "how many"
amount = "paid"

[columns.optional]
unit = "unit"

[customers]
kind = "phone"
country = "+86"

[points]
goods = "0"

[articles]
goods = ["*"]

[units]
goods = "piece"
"""


def test_the_merchants_own_mapping_says_how_a_file_is_read(
    programme: Database, tmp_path: Path, office: BackOffice
) -> None:
    (tmp_path / "phones.toml").write_text(PHONES)
    customer = done(
        office.shop.api.post("/v1/customers", {"identifiers": [{"kind": "phone", "value": "+8613800138000"}]})
    )
    path = office.written("2026-07-07 12:00:00,1,13800138000,Tea,2,6.00", header="when,no,phone,what,how many,paid")
    with programme.session.begin() as session:
        known = mapping_named("phones", tmp_path)
        sent = TillFileService(session).send("S17", path.name, fingerprint_of(path.read_bytes()), known, actor="test")
    file = take_in(programme, sent.id, path, known)
    assert (file.booked, file.refused) == (1, 0)
    (sale,) = office.sales()
    assert (sale["customer"], sale["lines"][0]["unit"]) == (customer["id"], "piece")


@pytest.mark.parametrize(
    ("quantity", "unit", "field", "fix"),
    [
        ("500", "ml", "unit", "'ml' is none of l, kg, kwh and pieces"),
        ("2", "", "unit", "or in [units] the one unit that 'goods' is sold in"),
        ("10000000000", "kg", "quantity", "is more than can be meant"),
    ],
)
def test_a_quantity_that_nobody_can_tell_is_refused(
    tmp_path: Path, quantity: str, unit: str, field: str, fix: str
) -> None:
    path = tmp_path / "day.csv"
    path.write_text(f"when,no,phone,what,how many,unit,paid\n2026-07-07 12:00:00,1,,Oil,{quantity},{unit},6.00\n")
    mapping = TillMapping.parse(tomllib.loads(PHONES.replace('[units]\ngoods = "piece"\n', "")), "phones")
    with read_till(path, mapping) as sheet:
        (fault,) = entries_of(sheet, mapping, "S17")
    assert isinstance(fault, Fault)
    assert (fault.line, fault.field, fault.number) == (2, field, "1")
    assert fix in fault.detail


def test_times_are_those_of_the_station(office: BackOffice) -> None:
    station = {"id": "S17", "name": "Ürümqi", "region": "west", "time_zone": "Asia/Urumqi"}
    assert office.shop.api.post("/v1/stations", station).status_code == 200
    office.take_in(tea(1))
    assert [sale["time"] for sale in office.sales()] == ["2026-07-07T06:00:00Z"]


def test_a_file_that_cannot_be_read_says_why(office: BackOffice) -> None:
    path = office.written("1,2", header="a,b")
    file = office.send(path).json()
    office.work()
    file = office.seen(file)
    assert (file["state"], fates(file)) == ("unreadable", (0, 0, 0, 0))
    assert file["problem"].startswith("day.csv:1: there is no column")


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"station": "S99"}, 404, "unknown_station"),
        ({"mapping": "nothing"}, 422, "unknown_mapping"),
        ({"mapping": "../secret"}, 422, "unknown_mapping"),
        ({"mapping": "/etc/passwd"}, 422, "unknown_mapping"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_it_is_sent(
    office: BackOffice, asked: dict[str, Any], status: int, code: str
) -> None:
    refused(office.send(office.written(tea(1)), **asked), status, code)


def test_an_empty_file_and_one_that_is_too_large_are_refused(office: BackOffice) -> None:
    path = office.directory / "day.csv"
    path.write_bytes(b"")
    assert office.send(path).status_code == 422
    path.write_bytes(b"x" * 20_000_001)
    assert office.send(path).status_code == 413


def test_a_till_sends_files_of_its_own_station_only(office: BackOffice) -> None:
    done(office.shop.api.post("/v1/stations", {"id": "S18", "name": "Other", "region": "north"}))
    new = {"station": "S18", "name": "till", "kind": "till"}
    secret = done(office.shop.api.post("/v1/devices", new))["secret"]
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "own"}
    http, content = office.shop.api.http, office.written(tea(1)).read_bytes()
    refused(
        http.post("/v1/till-files", params={"station": "S17"}, content=content, headers=headers), 422, "other_station"
    )
    assert http.post("/v1/till-files", params={"station": "S18"}, content=content, headers=headers).status_code == 202


def test_who_sent_a_file_stands_in_the_audit_log(office: BackOffice) -> None:
    file = office.take_in(tea(1))
    listed = done(office.shop.api.get("/v1/till-files", Role.AUDITOR, station="S17"))["data"]
    assert [one["id"] for one in listed] == [file["id"]]
    entries = done(office.shop.api.get("/v1/audit-log", subject=file["id"]))["data"]
    assert [entry["action"] for entry in entries] == ["till_file.taken_in", "till_file.sent"]
    assert {entry["actor"] for entry in entries} == {file["sent_by"]}
    assert entries[1]["after"]["sha256"] == file["sha256"]


# ---------------------------------------------------------------- the command


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["till-file", *arguments])
    printed = capsys.readouterr()
    return int(end.value.code or 0), printed.out, printed.err


def test_the_command_says_what_became_of_a_file(
    office: BackOffice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOYALTY_DATABASE_URL", office.database.url)
    good = str(office.written(tea(1), tea(2, minute=1)))
    assert run(capsys, good, "--station", "S17")[0] == 0
    code, printed, _ = run(capsys, good, "--station", "S17", "--mapping", "station")
    assert (code, "0 booked, 2 known already, 0 differ, 0 refused" in printed) == (0, True)
    bad = str(office.written(tea(1, pieces=5), fuel(3, litres="x"), name="bad.csv"))
    code, printed, _ = run(capsys, bad, "--station", "S17")
    assert code == 1
    assert "bad.csv:3: quantity (1:3):" in printed
    assert "bad.csv:2: sale (1:1):" in printed
    code, _, said = run(capsys, bad, "--station", "S99")
    assert (code, "there is no station S99" in said) == (2, True)
    code, _, said = run(capsys, bad, "--station", "S17", "--mapping", str(office.directory / "none.toml"))
    assert (code, "none.toml" in said) == (2, True)
    code, _, said = run(capsys, str(office.directory / "gone.csv"), "--station", "S17")
    assert (code, "gone.csv" in said) == (2, True)
    code, _, said = run(capsys, str(office.written("1", header="a", name="odd.csv")), "--station", "S17")
    assert (code, "odd.csv" in said) == (2, True)


# ---------------------------------------------------------------- crashes and rivals

ROWS = [
    row for at in range(5) for row in (tea(2 * at, "FC-100001", minute=at), fuel(2 * at + 1, litres="x", minute=at))
]


@on_postgresql_by_day
@pytest.mark.parametrize("at", [1, 2, 4, 5])
def test_a_process_that_is_killed_is_followed_by_one_that_goes_on(office: BackOffice, at: int) -> None:
    """Killed within the first, the second and the last transaction, and before the file is finished."""
    office.shop.customer("FC-100001")
    path = office.written(*ROWS)
    command = [sys.executable, "-m", "tests.loyalty.till_files.dying_reader", office.database.url, str(path), str(at)]
    dead = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert dead.returncode == -9, dead.stderr
    known = mapping_named("station", None)
    with office.database.session.begin() as session:
        file = TillFileService(session).send("S17", path.name, fingerprint_of(path.read_bytes()), known, actor="test")
        assert file.position == min(3 * (at - 1), 10)
    file = take_in(office.database, file.id, path, known)
    assert (file.booked, file.known, file.differs, file.refused) == (5, 0, 0, 5), "as if nobody had died"
    assert len(office.sales()) == 5
    with office.database.reading() as session:
        found, _ = TillFileService(session).refusals_after(file.id, "", 200)
        assert [(one.fate, one.number) for one in found] == [(Fate.REFUSED, str(2 * at + 1)) for at in range(5)]


def test_another_mapping_begins_anew(office: BackOffice, tmp_path: Path) -> None:
    """What a mapping says may be another order of documents, so the place of a crash means nothing."""
    path, known = office.written(*ROWS), mapping_named("station", None)
    with office.database.session.begin() as session:
        service = TillFileService(session)
        sent = service.send("S17", path.name, fingerprint_of(path.read_bytes()), known, actor="test")
        sent.position = 3
    (tmp_path / "phones.toml").write_text(PHONES)
    with office.database.session.begin() as session:
        other = mapping_named("phones", tmp_path)
        again = TillFileService(session).send("S17", path.name, sent.fingerprint, other, actor="test")
        assert (again.id, again.position) == (sent.id, 0)


def test_several_at_once_book_each_document_once(office: BackOffice) -> None:
    path, known = office.written(*[tea(at, minute=at) for at in range(40)]), mapping_named("station", None)
    with office.database.session.begin() as session:
        sent = TillFileService(session).send("S17", path.name, fingerprint_of(path.read_bytes()), known, actor="test")
    failed: list[str] = []

    def go() -> None:
        try:
            take_in(office.database, sent.id, path, known)
        except Contradiction as error:
            failed.append(error.code)

    threads = [threading.Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == ["file_in_work"] * 2
    assert len(office.sales()) == 40
    with office.database.reading() as session:
        file = TillFileService(session).get(sent.id)
        assert (file.booked, file.known) == (40, 0)


# ---------------------------------------------------------------- taken in again


def test_what_was_not_booked_is_taken_in_again_from_the_kept_file(office: BackOffice) -> None:
    file = office.take_in(fuel(1), tea("R1", pieces=-1, original="77", minute=5))
    assert (fates(file), file["is_kept"]) == ((1, 0, 0, 1), True)
    office.take_in(tea(77, pieces=2, minute=1))
    again = office.shop.api.post(f"/v1/till-files/{file['id']}/take-again", None, Role.CASHIER)
    assert (again.status_code, again.json()["state"]) == (202, "waiting")
    refused(office.shop.api.post(f"/v1/till-files/{file['id']}/take-again", None), 409, "file_in_work")
    assert office.work() == 1
    seen = office.seen(file)
    assert (fates(seen), seen["is_kept"]) == ((1, 1, 0, 0), False)
    refused(office.shop.api.post(f"/v1/till-files/{file['id']}/take-again", None), 409, "file_not_kept")
    refused(office.shop.api.post("/v1/till-files/tlf_x/take-again", None), 404, "unknown_till_file")


def test_a_failure_of_ours_is_no_refusal(office: BackOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is told from what cannot be booked, and is booked when the file is taken in again."""
    book = intake.book

    def failing(session: Any, rows: Any, visits: Any) -> None:
        if any(row.number == "2" for row in rows):
            raise RuntimeError("a defect")
        book(session, rows, visits)

    monkeypatch.setattr(intake, "book", failing)
    file = office.take_in(fuel(1), fuel(2, minute=1), fuel(3, minute=2))
    assert (fates(file), file["fates"]["not_booked"]) == ((2, 0, 0, 0), 1)
    assert office.refusals(file) == [("not_booked", 3, "sale", "2")]
    monkeypatch.undo()
    assert office.shop.api.post(f"/v1/till-files/{file['id']}/take-again").status_code == 202
    assert office.work() == 1
    assert (fates(office.seen(file)), len(office.sales())) == ((1, 2, 0, 0), 3)


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_a_file_is_not_kept_for_ever(office: BackOffice, shifted: ShiftedClock) -> None:
    file = office.take_in(fuel(1), tea("R1", pieces=-1, original="77", minute=5))
    for days, is_kept in ((80, True), (20, False)):
        shifted.ahead += timedelta(days=days)
        with office.database.session.begin() as session:
            TillFileService(session).clean_up()
        assert office.seen(file)["is_kept"] is is_kept
    assert office.refusals(file) == [("refused", 3, "original", "R1")]
