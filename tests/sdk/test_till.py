"""Till exports: what is read, what is worth what, what is held back, and that nothing is issued twice."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.stand_in import StandIn
from tongdui import Client, TillError
from tongdui._cli import main
from tongdui.till import PointsRule, TillMapping, TillSheet, read_till

ROOT = Path(__file__).parents[2]
DATA = ROOT / "scripts" / "demo" / "data"
HEADER = "time,sale number,customer,article,quantity,unit,amount"

Write = Callable[..., TillSheet]


@pytest.fixture
def sheet_of(tmp_path: Path) -> Write:
    """Reads rows (strings) as a file in our own format."""

    def write(*rows: str, header: str = HEADER, mapping: TillMapping | str = "station", encoding: str = "utf-8") -> Any:
        path = tmp_path / "till.csv"
        path.write_text("\n".join((header, *rows)) + "\n", encoding=encoding)
        return read_till(path, mapping)

    return write


def fuel(
    sale: str, amount: str, customer: str = "FC-1", time: str = "2026-04-15 08:00:00", quantity: str = "10"
) -> str:
    return f"{time},{sale},{customer},95#,{quantity},L,{amount}"


def shop(sale: str, amount: str, customer: str = "FC-1", time: str = "2026-04-15 08:00:00", quantity: str = "1") -> str:
    return f"{time},{sale},{customer},Tea,{quantity},pcs,{amount}"


# --- points


def test_a_yuan_of_fuel_is_a_point_and_a_yuan_of_shop_goods_two(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "200.00"), shop("2", "10.00"))
    assert [s.points for s in sheet.sales] == [200, 20]


def test_a_sale_is_rounded_once_and_down(sheet_of: Write) -> None:
    """0.50 + 0.50 of fuel and 0.25 of tea are 1.5 points: 1, not 0 (rounding rows), and not 2."""
    sheet = sheet_of(fuel("1", "0.50"), fuel("1", "0.50"), shop("1", "0.25"))
    assert [s.points for s in sheet.sales] == [1]


def test_many_small_amounts_add_up_exactly(sheet_of: Write) -> None:
    """Ten times 0.10 is 1 yuan; in binary floating point it is 0.9999999999999999."""
    assert sheet_of(*[fuel("1", "0.10")] * 10).sales[0].points == 1


def test_huge_amounts_stay_exact(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "999999999999999.99"), fuel("1", "0.01"))
    assert sheet.sales[0].points == 10**15


def test_rates_are_fractions() -> None:
    rule = PointsRule({"fuel": Fraction(1, 3)}, default="fuel")
    assert [rule.points({"fuel": Decimal(n)}) for n in ("2.99", "3", "-0.01")] == [0, 1, -1]
    with pytest.raises(TypeError, match="Fraction"):
        PointsRule({"fuel": 0.5})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="has no rate"):
        PointsRule({"fuel": Fraction(1)}, {"92#": "petrol"})


def test_a_sale_worth_nothing_is_listed_and_not_issued(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "0.00"), fuel("2", "0.99"))
    assert sheet.sales == ()
    assert [s.number for s in sheet.worthless] == ["1", "2"]


# --- bad rows


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ("2026-04-15 08:00,1,FC-1,95#,1,L,1.00", "time", "is not a time in the form RFC 3339 or %Y-%m-%d %H:%M:%S"),
        ("2026-02-30 08:00:00,1,FC-1,95#,1,L,1.00", "time", "is not a time"),
        ("0001-01-01 00:00:00,1,FC-1,95#,1,L,1.00", "time", "is not a time"),
        (",1,FC-1,95#,1,L,1.00", "time", "is missing"),
        ("2026-04-15 08:00:00,,FC-1,95#,1,L,1.00", "sale number", "is missing"),
        (f"2026-04-15 08:00:00,{'9' * 65},FC-1,95#,1,L,1.00", "sale number", "is longer than 64 characters"),
        ("2026-04-15 08:00:00,1,FC-1,,1,L,1.00", "article", "is missing"),
        ("2026-04-15 08:00:00,1,FC-1,95#,,L,1.00", "quantity", "is missing"),
        ("2026-04-15 08:00:00,1,FC-1,95#,x,L,1.00", "quantity", "is not a decimal number"),
        ("2026-04-15 08:00:00,1,FC-1,95#,1e3,L,1.00", "quantity", "is not a decimal number"),
        ("2026-04-15 08:00:00,1,FC-1,95#,NaN,L,1.00", "quantity", "is not a decimal number"),
        ("2026-04-15 08:00:00,1,FC-1,95#,１,L,1.00", "quantity", "is not a decimal number"),
        ("2026-04-15 08:00:00,1,FC-1,95#,0,L,1.00", "quantity", "is zero"),
        ("2026-04-15 08:00:00,1,FC-1,95#,1,pcs,1.00", "unit", "must be L for fuel"),
        ("2026-04-15 08:00:00,1,FC-1,Tea,1,kg,1.00", "unit", "must be pcs or L for shop"),
        ("2026-04-15 08:00:00,1,FC-1,95#,1,L,1.005", "amount", "has more than 2 decimals"),
        ('2026-04-15 08:00:00,1,FC-1,95#,1,L,"1,000.00"', "amount", "is not a decimal number"),
        ("2026-04-15 08:00:00,1,FC-1,95#,1,L,-1.00", "amount", "has the opposite sign of the quantity"),
        ("2026-04-15 08:00:00,1,FC-1,95#,1,L", "row", "has 6 fields, the header names 7"),
        ("2026-04-15 08:00:00,1,FC-1,95#,1,L,1.00,", "row", "has 8 fields"),
        ('2026-04-15 08:00:00,1,FC-1,"Tea,1,pcs,1.00', "row", "has a quotation mark that is not closed"),
        ("2026-04-15 08:00:00,1,FC\x00-1,95#,1,L,1.00", "customer", "has characters that are not text"),
    ],
)
def test_a_bad_row_costs_itself_and_no_other(sheet_of: Write, row: str, field: str, reason: str) -> None:
    sheet = sheet_of(fuel("a", "5.00"), row, fuel("b", "6.00"))
    (problem,) = sheet.problems
    assert (problem.file, problem.line, problem.field) == ("till.csv", 3, field)
    assert problem.reason.startswith(reason)
    assert str(problem).startswith(f"till.csv:3: {field}")
    assert [s.number for s in sheet.sales] == ["a", "b"]


def test_a_sale_with_a_bad_row_is_held_back_whole(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00"), fuel("1", "x"), fuel("2", "6.00"), shop("1", "1.00"))
    assert [s.number for s in sheet.sales] == ["2"]
    (held,) = sheet.held_back
    assert (held.number, held.lines) == ("1", (2, 5))
    assert held.reason.startswith("line 3 of it is malformed (amount")


def test_a_bad_row_without_number_holds_back_the_sale_around_it(sheet_of: Write) -> None:
    sheet = sheet_of(
        fuel("1", "5.00"), fuel("", "5.00"), "rubbish", fuel("1", "6.00"), fuel("", "5.00"), fuel("2", "1")
    )
    assert [h.number for h in sheet.held_back] == ["1"]
    assert [s.number for s in sheet.sales] == ["2"]


def test_bytes_that_are_no_text_cost_their_own_row(tmp_path: Path) -> None:
    path = tmp_path / "till.csv"
    lines = [HEADER, shop("1", "1.00").replace("Tea", "茶"), shop("2", "1.00")]
    path.write_bytes("\r\n".join(lines).encode("gb18030"))
    sheet = read_till(path)
    assert [p.field for p in sheet.problems] == ["article"]
    assert [s.number for s in sheet.sales] == ["2"]


def test_a_byte_order_mark_and_blank_lines_do_no_harm(sheet_of: Write) -> None:
    sheet = sheet_of("", fuel("1", "5.00"), ",,,,,,", "  ", encoding="utf-8-sig")
    assert (sheet.rows_read, len(sheet.sales)) == (1, 1)


@pytest.mark.parametrize(
    "header", ["", "time,sale", HEADER + ",time", HEADER.replace("amount", "Amount"), 'time,"sale number'], ids=str
)
def test_a_header_that_cannot_be_read_is_the_end(sheet_of: Write, header: str) -> None:
    with pytest.raises(TillError, match=r"till\.csv"):
        sheet_of(fuel("1", "5.00"), header=header)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TillError, match=r"none\.csv"):
        read_till(tmp_path / "none.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(TillError, match="empty"):
        read_till(tmp_path / "empty.csv")


# --- sales


def test_times_with_and_without_zone_mean_the_same(sheet_of: Write) -> None:
    sheet = sheet_of(*(fuel(str(n), "1", time=t) for n, t in enumerate(
        ["2026-04-15 08:00:00", "2026-04-15T08:00:00+08:00", "2026-04-15T00:00:00Z", "2026-04-15t00:00:00.5z"]
    )))  # fmt: skip
    assert {s.time.replace(microsecond=0).isoformat() for s in sheet.sales} == {"2026-04-15T00:00:00+00:00"}


def test_sales_without_customer_are_listed(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00", customer=""), fuel("2", "5.00"))
    assert [s.number for s in sheet.no_customer] == ["1"]
    assert sheet.no_customer[0].lines == (2,)


def test_a_till_may_name_the_customer_once(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00", customer="FC-1"), shop("1", "5.00", customer=""))
    assert (sheet.sales[0].customer, sheet.sales[0].points) == ("FC-1", 15)


def test_a_sale_of_two_customers_is_held_back(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00", customer="FC-1"), shop("1", "5.00", customer="FC-2"))
    assert [h.reason for h in sheet.held_back] == ["its rows name different customers: FC-1, FC-2"]


def test_a_number_that_was_used_twice_is_held_back(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00"), fuel("1", "5.00", time="2026-04-16 09:00:00"))
    assert "used twice" in sheet.held_back[0].reason


def test_more_points_than_the_chain_holds_are_held_back(sheet_of: Write) -> None:
    sheet = sheet_of(*[shop("1", "999999999999999.00")] * 10_000)
    assert "more than the chain can hold" in sheet.held_back[0].reason


# --- goods that come back


def test_a_return_takes_back_what_the_sale_loses(sheet_of: Write) -> None:
    """10.60 of tea gave 21 points. Without the returned 5.30 it would have given 10, so 11 are taken back, not 10.6."""
    sheet = sheet_of(shop("1", "10.60", quantity="2"), shop("R1", "-5.30", quantity="-1", time="2026-04-15 09:00:00"))
    (back,) = sheet.returns
    (reversal,) = back.reversals
    assert (reversal.sale, reversal.reference, reversal.points, reversal.lines) == ("1", "till:1", 11, (3,))
    assert sheet.sales[0].points == 21


def test_nothing_is_taken_back_twice(sheet_of: Write) -> None:
    back = [shop(f"R{n}", "-5.30", quantity="-1", time="2026-04-15 09:00:00") for n in (1, 2, 3)]
    sheet = sheet_of(shop("1", "10.60", quantity="2"), *back)
    assert [[r.points for r in b.reversals] for b in sheet.returns] == [[11], [10], []]
    assert [len(b.unmatched) for b in sheet.returns] == [0, 0, 1]


@pytest.mark.parametrize(
    "back",
    [
        shop("R", "-5.00", quantity="-1", customer="FC-2", time="2026-04-15 09:00:00"),
        shop("R", "-5.00", quantity="-1", customer="", time="2026-04-15 09:00:00"),
        shop("R", "-5.00", quantity="-1", time="2026-04-15 07:00:00"),
        shop("R", "-5.00", quantity="-2", time="2026-04-15 09:00:00"),
        shop("R", "-5.01", quantity="-1", time="2026-04-15 09:00:00"),
        "2026-04-15 09:00:00,R,FC-1,Milk,-1,pcs,-5.00",
    ],
    ids=["other customer", "no customer", "before the sale", "more pieces", "more money", "other article"],
)
def test_a_return_that_does_not_fit_is_listed_as_unmatched(sheet_of: Write, back: str) -> None:
    sheet = sheet_of(shop("1", "5.00"), back)
    assert sheet.returns[0].reversals == ()
    assert sheet.returns[0].unmatched[0].line == 3


def test_a_discount_in_a_sale_lowers_its_points(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "200.00"), shop("1", "-5.00", quantity="-1"))
    assert [s.points for s in sheet.sales] == [190]


def test_a_sale_that_takes_back_more_than_it_sells_is_held_back(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00"), shop("1", "-4.00", quantity="-1"))
    assert [h.reason for h in sheet.held_back] == ["it takes back more than it sells"]


# --- the sample files


def test_every_row_of_the_sample_day_has_one_fate() -> None:
    sheet = read_till(DATA / "fuel_day.csv")
    assert sheet.rows_read == 258 == sum(sheet.rows_by_fate().values())
    assert (len(sheet.sales), len(sheet.no_customer), len(sheet.returns)) == (165, 35, 3)
    assert (sheet.problems, sheet.held_back) == ((), ())
    assert sheet.points == 56_192


def test_the_malformed_sample_is_reported_line_by_line() -> None:
    sheet = read_till(DATA / "fuel_malformed.csv")
    found = [(p.line, p.field) for p in sheet.problems]
    assert found == [
        (3, "quantity"),
        (4, "time"),
        (6, "amount"),
        (7, "sale number"),
        (8, "unit"),
        (9, "row"),
        (10, "row"),
    ]
    assert [(h.number, h.lines) for h in sheet.held_back] == [("26041600004", (5,))]
    assert sheet.rows_read == 12 == sum(sheet.rows_by_fate().values())
    assert {s.number: s.points for s in sheet.sales} == {"26041600001": 262, "26041600009": 300, "26041600011": 17}


# --- other tills


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"typo": {}}, "unknown section typo"),
        ({"till": {"tine": "x"}}, "unknown settings: tine"),
        ({"till": {"zone": "Mars/Olympus"}}, "no time zone"),
        ({"till": {"encoding": "klingon"}}, "no encoding"),
        ({"till": {"reference": "till"}}, "must contain {sale}"),
        ({"till": {"delimiter": ";;"}}, "one character"),
        ({"columns": {"time": "t"}}, "lacks sale"),
        ({"points": {"a": 0.5}}, "write Fraction"),
        ({"points": {"a": "-1"}}, "not a rate"),
        ({"articles": {"b": ["x"]}}, "has no rate"),
        ({"articles": {"a": ["x"], "c": ["x"]}, "points": {"a": "1", "c": "1"}}, "'x' twice"),
    ],
)
def test_a_mapping_with_a_mistake_is_refused(change: dict[str, Any], says: str) -> None:
    columns = {"time": "t", "sale": "s", "customer": "c", "article": "a", "quantity": "q", "amount": "m"}
    document = {"columns": columns, "points": {"a": "1"}, "articles": {"a": ["*"]}}
    with pytest.raises(TillError, match=says):
        TillMapping.parse({**document, **change}, "mine.toml")


def test_another_till_needs_a_few_lines(tmp_path: Path, sheet_of: Write) -> None:
    mapping = tmp_path / "mine.toml"
    mapping.write_text(
        """
        [till]
        times = "%d.%m.%Y %H:%M"
        delimiter = ";"
        encoding = "gb18030"
        reference = "shop-7:{day}:{sale}"
        [columns]
        time = "Zeit"
        sale = "Bon"
        customer = "Kunde"
        article = "Artikel"
        quantity = "Menge"
        unit_price = "Preis"
        [points]
        tea = "3/2"
        [articles]
        tea = ["茶"]
        """
    )
    header = "Bon;Artikel;Zeit;Menge;Preis;Kunde;Kasse"
    rows = ["1;茶;15.04.2026 00:30;3;1.10;FC-1;7", "2;Milk;15.04.2026 00:31;1;1.00;FC-1;7"]
    sheet = sheet_of(*rows, header=header, mapping=str(mapping), encoding="gb18030")
    assert [(s.reference, s.points) for s in sheet.sales] == [("shop-7:2026-04-15:1", 4)]
    assert [(p.field, p.reason) for p in sheet.problems] == [("Artikel", "is in no category of the mapping")]


def retail() -> Path:
    shared = Path(os.environ.get("TONGDUI_SHARED_DATA") or ROOT / ".." / "shared" / "data")
    path = shared / "online_retail.csv"
    if not path.exists():
        pytest.skip("online_retail.csv is not here; see TONGDUI_SHARED_DATA")
    return path


def test_a_real_shops_export_is_justified_row_by_row() -> None:
    """A slow recount with nothing but the csv module and the rules on paper, invoice by invoice."""
    path = retail()
    sheet = read_till(path, "online_retail")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))

    goods: dict[str, Decimal] = defaultdict(Decimal)
    customer: dict[str, str] = {}
    lines: dict[str, list[int]] = defaultdict(list)
    for line, row in enumerate(rows, start=2):
        number = row["InvoiceNo"]
        lines[number].append(line)
        customer[number] = row["CustomerID"]
        if row["StockCode"] != "POST":
            goods[number] += int(row["Quantity"]) * Decimal(row["UnitPrice"])
    returned = {number for number in lines if number.startswith("C")}
    nameless = {number for number in lines if not customer[number]}
    expected = {
        number: int(goods[number].to_integral_value(ROUND_FLOOR)) for number in set(lines) - returned - nameless
    }

    assert {sale.number: sale.points for sale in sheet.sales} == expected
    assert {sale.number: list(sale.lines) for sale in sheet.sales} == {n: lines[n] for n in expected}
    assert {sale.number: sale.customer for sale in sheet.sales} == {n: customer[n] for n in expected}
    assert {sale.number for sale in sheet.no_customer} == nameless == {"536414"}
    assert {back.number for back in sheet.returns} == returned == {"C536379", "C536383", "C536391", "C536506"}
    assert (sheet.problems, sheet.held_back, sheet.worthless) == ((), (), ())

    # Of all that came back, six jam sets were bought in this file: invoice 536488 had eight of them for 4.25 each.
    found = [(b.number, r.sale, r.points) for b in sheet.returns for r in b.reversals]
    kept = goods["536488"] - 6 * Decimal("4.25")
    assert found == [("C536506", "536488", expected["536488"] - int(kept.to_integral_value(ROUND_FLOOR)))]

    fates = sheet.rows_by_fate()
    print(f"\n{len(rows)} rows, {len(lines)} invoices, {len(expected)} sales worth {sheet.points} points: {fates}")
    assert sum(fates.values()) == sheet.rows_read == len(rows) == 999
    assert fates == {"issued": 988, "worthless": 0, "no customer": 1, "returned": 10, "held back": 0, "malformed": 0}
    assert sheet.points == sum(expected.values()) == 24_603


# --- the command


def test_the_command_imports_and_tells(
    client: Client,
    gateway: StandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    signer = client._submitter.directory.signer
    keystore = signer.save_keystore(tmp_path / "station.json", "secret")  # type: ignore[attr-defined]
    monkeypatch.setenv("TONGDUI_URL", gateway.url)
    monkeypatch.setenv("TONGDUI_API_KEY", "tdk_1_x")
    monkeypatch.setenv("TONGDUI_KEYSTORE", str(keystore))
    monkeypatch.setenv("TONGDUI_KEYSTORE_PASSWORD", "secret")
    monkeypatch.setenv("COLUMNS", "200")
    day, malformed = str(DATA / "fuel_day.csv"), str(DATA / "fuel_malformed.csv")

    assert main(["till", "import", day, "--program", "FUEL", "--dry-run"]) == 0
    assert "56192 points would be issued" in capsys.readouterr().out
    assert gateway.movements == []
    assert main(["till", "import", day, "--program", "FUEL"]) == 0
    assert "56,192" in capsys.readouterr().out
    assert main(["till", "import", day, "--program", "FUEL"]) == 0
    assert "issued by an earlier run" in capsys.readouterr().out
    assert main(["till", "import", malformed, "--program", "FUEL"]) == 1
    assert "fuel_malformed.csv:3" in capsys.readouterr().out
    assert main(["till", "import", "none.csv", "--program", "FUEL"]) == 2
    assert "none.csv" in capsys.readouterr().err
    assert len(gateway.movements) == 168


def test_the_command_makes_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TONGDUI_KEYSTORE_PASSWORD", "secret")
    path = tmp_path / "key.json"
    assert main(["key", "new", str(path)]) == 0
    assert capsys.readouterr().out.startswith("0x")
    assert main(["key", "new", str(path)]) == 2
