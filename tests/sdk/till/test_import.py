"""Imports that are interrupted, raced, refused and repeated at moments that only a stand-in can choose; more in tests/e2e."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sdk.stand_in import Call, ProblemError, StandIn
from tongdui import Client, ForbiddenError, LocalSigner
from tongdui.till import TillImport, TillResult, TillSheet, inspect_till, read_till
from tongdui.till._content import LARGEST_METADATA, sale_metadata
from tongdui.till._report import TillReport

DATA = Path(__file__).parents[3] / "scripts" / "demo" / "data"
HEADER = "time,sale number,customer,article,quantity,unit,amount"

Write = Callable[..., TillSheet]


@pytest.fixture
def sheet_of(tmp_path: Path) -> Write:
    """Reads rows (strings) as a file in our own format."""

    def write(*rows: str) -> TillSheet:
        path = tmp_path / "till.csv"
        path.write_text("\n".join((HEADER, *rows)) + "\n")
        return read_till(path)

    return write


def fuel(sale: str, amount: str, customer: str = "FC-1", time: str = "2026-04-15 08:00:00") -> str:
    return f"{time},{sale},{customer},95#,10,L,{amount}"


def day() -> TillSheet:
    return read_till(DATA / "fuel_day.csv")


# --- once


def test_a_day_is_issued_once_however_often_it_is_run(client: Client, gateway: StandIn) -> None:
    first = TillImport(client, "FUEL").run(day())
    assert (len(first.issued), first.points) == (165, day().points)
    assert [len(gateway.orders[order]["movements"]) for order in first.orders] == [100, 65]
    second = TillImport(client, "FUEL").run(day())
    assert (len(second.issued), len(second.already), second.orders) == (0, 165, [])
    assert [found.source.number for found in second.unmatched] == ["R500901"]  # sold on an earlier day
    assert (second.changed, second.refused, second.pending, second.owed) == ([], [], [], [])
    assert sum(m["points"] for m in gateway.movements) == day().points


def test_the_same_file_again_is_a_few_requests(client: Client, gateway: StandIn) -> None:
    """No sale is looked up alone, and no member is looked for: the movements say whose they are."""
    TillImport(client, "FUEL").run(day())
    gateway.calls.clear()
    TillImport(client, "FUEL").run(day())
    assert Counter((call.method, call.path) for call in gateway.calls) == {
        ("GET", "/v1/programs/FUEL"): 1,
        ("GET", "/v1/network"): 1,
        ("POST", "/v1/movements/lookup"): 3,  # sales; then the originals of three returns, and their reversals
        ("GET", "/v1/issuances"): 1,  # the sale of one of them is not in this file
    }


def test_a_crash_in_the_middle_is_made_good_by_running_again(client: Client, gateway: StandIn) -> None:
    orders = []

    def crash(call: Call) -> None:
        if call.path == "/v1/orders":
            orders.append(call)
            if len(orders) == 2:
                raise ProblemError(500, "internal_error", "out of memory")

    gateway.faults.append(crash)
    with pytest.raises(Exception, match="out of memory"):
        TillImport(client, "FUEL").run(day())
    assert len(gateway.movements) == 100
    result = TillImport(client, "FUEL").run(day())
    assert (len(result.already), len(result.issued)) == (100, 65)
    assert len({m["reference"] for m in gateway.movements}) == len(gateway.movements) == 165


def test_two_imports_at_the_same_time_issue_once(client: Client, gateway: StandIn) -> None:
    """The other one takes the references between our look and our order: a duplicate that nobody can point at yet."""
    raced = []

    def race(call: Call) -> None:
        if call.path == "/v1/orders" and not raced:
            raced.append(True)
            gateway.handle(Call(call.method, call.path, {}, {"idempotency-key": "theirs"}, call.body))
            raise ProblemError(409, "duplicate_reference", "another request was accepted just now")

    gateway.faults.append(race)
    result = TillImport(client, "FUEL").run(read_till(DATA / "fuel_malformed.csv"))
    assert (len(result.already), len(result.issued)) == (3, 0)
    assert len(gateway.movements) == 3


def test_what_an_earlier_run_left_on_its_way_is_waited_for(client: Client, gateway: StandIn, sheet_of: Write) -> None:
    gateway.settle_at_once = False
    sheet = sheet_of(fuel("1", "200.00"), fuel("2-refuse", "100.00"))
    orders = []

    def stop(call: Call) -> None:
        orders.append(call)
        if call.path.startswith("/v1/orders/"):
            raise ProblemError(500, "internal_error", "killed")

    gateway.faults.append(stop)
    with pytest.raises(Exception, match="killed"):
        TillImport(client, "FUEL").run(sheet)
    gateway.faults.clear()
    result = TillImport(client, "FUEL").run(sheet)
    assert (len(result.issued), len(result.already)) == (0, 1)
    assert [(r.source.number, r.code) for r in result.refused] == [("2-refuse", "program_paused")]


def test_what_is_not_final_in_time_is_pending(client: Client, gateway: StandIn, sheet_of: Write) -> None:
    gateway.settle_at_once = False

    def slow(call: Call) -> tuple[int, object] | None:
        return (200, gateway.orders[call.path.rpartition("/")[2]]) if call.path.startswith("/v1/orders/") else None

    gateway.faults.append(slow)
    result = TillImport(client, "FUEL", timeout=0.2).run(sheet_of(fuel("1", "200.00")))
    assert [(found.source.number, found.movement.points) for found in result.pending] == [("1", 200)]
    assert result.needs_attention


def test_a_merchant_whose_orders_the_gateway_signs_imports_too(gateway: StandIn, station: LocalSigner) -> None:
    with Client(gateway.url, "tdk_station_secret") as client:
        first = TillImport(client, "FUEL", reverse=True).run(day())
        second = TillImport(client, "FUEL", reverse=True).run(day())
    assert (len(first.issued), [taken.points for taken in first.reversed]) == (165, [4, 536])
    assert (len(second.already), len(second.reversed_before), second.orders) == (165, 2, [])


# --- refusals


def test_a_sale_that_the_chain_refused_can_be_issued_later(client: Client, gateway: StandIn, sheet_of: Write) -> None:
    sheet = sheet_of(fuel("refuse", "200.00"), fuel("2", "100.00"))
    first = TillImport(client, "FUEL").run(sheet)
    assert [(r.source.number, r.code) for r in first.refused] == [("refuse", "program_paused")]
    second = TillImport(client, "FUEL").run(sheet)
    assert (len(second.already), len(second.refused)) == (1, 1)


def test_a_customer_that_cannot_be_registered_costs_its_own_sales(
    client: Client, gateway: StandIn, sheet_of: Write
) -> None:
    sheet = sheet_of(fuel("1", "5.00", customer="bad one"), fuel("2", "5.00"), fuel("3", "5.00", customer="bad one"))
    result = TillImport(client, "FUEL").run(sheet)
    assert [(r.source.number, r.code) for r in result.refused] == [
        ("1", "validation_failed"),
        ("3", "validation_failed"),
    ]
    assert len(result.issued) == 1


def test_an_instruction_that_the_gateway_points_at_costs_itself(
    client: Client, gateway: StandIn, sheet_of: Write
) -> None:
    def refuse(call: Call) -> None:
        if call.path == "/v1/orders":
            for n, i in enumerate(call.body["instructions"]):
                if i["points"] == 6:
                    raise ProblemError(422, "validation_failed", "unlucky", (f"/instructions/{n}/points",))

    gateway.faults.append(refuse)
    result = TillImport(client, "FUEL").run(sheet_of(*(fuel(str(n), f"{n}.00") for n in range(1, 10))))
    assert [(r.source.number, r.detail) for r in result.refused] == [("6", "unlucky")]
    assert len(result.issued) == 8


def test_a_key_that_may_not_issue_stops_the_import(client: Client, gateway: StandIn, sheet_of: Write) -> None:
    def refuse(call: Call) -> None:
        if call.path == "/v1/orders":
            raise ProblemError(403, "insufficient_scope", "needs issue")

    gateway.faults.append(refuse)
    with pytest.raises(ForbiddenError):
        TillImport(client, "FUEL").run(sheet_of(fuel("1", "5.00")))


def test_a_reference_that_is_used_but_cannot_be_seen_is_refused_by_name(
    client: Client, gateway: StandIn, sheet_of: Write
) -> None:
    def refuse(call: Call) -> None:
        if call.path == "/v1/orders":
            raise ProblemError(409, "duplicate_reference", "used", ("/instructions/0/reference",))

    gateway.faults.append(refuse)
    result = TillImport(client, "FUEL").run(sheet_of(fuel("1", "5.00")))
    assert [(r.source.number, r.code) for r in result.refused] == [("1", "duplicate_reference")]


def test_members_are_registered_together_and_progress_is_told(
    client: Client, gateway: StandIn, sheet_of: Write
) -> None:
    told: list[tuple[str, int, int]] = []
    sheet = sheet_of(*(fuel(str(n), "5.00", customer=f"FC-{n % 3}") for n in range(9)))
    TillImport(client, "FUEL").run(sheet, lambda *step: told.append(step))
    TillImport(client, "FUEL").run(sheet)
    assert [c.body for c in gateway.calls if c.path == "/v1/members/register"] == [
        {"external_ids": ["FC-0", "FC-1", "FC-2"]}
    ]
    assert told == [("sales", 9, 9), ("settling", 9, 9)]


# --- content


def test_a_sale_of_very_many_articles_is_compared_by_digest(client: Client, gateway: StandIn, sheet_of: Write) -> None:
    def rows(last: str) -> list[str]:
        articles = [f"Article {n:04d}" for n in range(400)] + [last]
        return [f"2026-04-15 08:00:00,1,FC-1,{article},1,pcs,1.00" for article in articles]

    sheet = sheet_of(*rows("Tea"))
    (sale,) = sheet.sales
    metadata = sale_metadata(sale)
    assert metadata["till"]["lines"] is None
    assert len(json.dumps(metadata)) < LARGEST_METADATA
    TillImport(client, "FUEL").run(sheet)
    assert len(TillImport(client, "FUEL").run(sheet_of(*reversed(rows("Tea")))).already) == 1
    (changed,) = TillImport(client, "FUEL").run(sheet_of(*rows("Milk"))).changed
    assert changed.difference == "its many lines are not the same"


def test_metadata_are_what_the_sale_was(sheet_of: Write) -> None:
    (sale,) = sheet_of(fuel("1", "262.26"), "2026-04-15 08:00:00,1,FC-1,Tea,2,pcs,6.00").sales
    assert sale_metadata(sale) == {
        "till": {
            "v": 1,
            "till": "",
            "day": "2026-04-15",
            "sale": "1",
            "customer": "FC-1",
            "time": "2026-04-15T00:00:00Z",
            "amount": "268.26",
            "lines": [["95#", "fuel", "10", "262.26"], ["Tea", "shop", "2", "6.00"]],
        }
    }


def test_how_a_number_is_written_makes_no_difference(client: Client, gateway: StandIn, sheet_of: Write) -> None:
    TillImport(client, "FUEL").run(sheet_of(fuel("1", "200.00")))
    result = TillImport(client, "FUEL").run(sheet_of("2026-04-15T00:00:30Z,1,FC-1,95#,10.0,L,200"))
    assert (len(result.already), result.changed) == (1, [])


def test_an_issuance_without_metadata_is_compared_by_its_points(
    client: Client, gateway: StandIn, sheet_of: Write
) -> None:
    TillImport(client, "FUEL").run(sheet_of(fuel("1", "200.00"), fuel("2", "100.00")))
    for movement in gateway.movements:
        movement["metadata"] = {"till": "somebody else's"}
    result = TillImport(client, "FUEL").run(sheet_of(fuel("1", "200.00"), fuel("2", "90.00")))
    assert len(result.already) == 1
    assert [found.difference for found in result.changed] == [
        "100 points were issued, it is worth 90 now; its content was not kept"
    ]


# --- what it says


def printed(result: TillResult) -> str:
    said = io.StringIO()
    TillReport(said, width=200).show_result(result)
    return said.getvalue()


def test_the_report_and_the_document_tell_everything(client: Client, gateway: StandIn, sheet_of: Write) -> None:
    TillImport(client, "FUEL").run(sheet_of(fuel("1", "200.00"), fuel("2", "100.00")))
    sheet = sheet_of(
        fuel("1", "200.00"),
        fuel("2", "90.00"),
        fuel("3-refuse", "50.00"),
        fuel("4", "7.00"),
        "2026-04-15 09:00:00,R1,,Tea,-1,pcs,-5.00",
        "2026-04-15 19:00:00,R2,FC-1,95#,-10,L,-200.00",
    )
    result = TillImport(client, "FUEL").run(sheet)
    text = printed(result)
    for words in ("issued by an earlier run", "worth 90 now", "program_paused", "no customer", "To take back", "till:"):
        assert words in text
    document = json.loads(json.dumps(result.document()))
    assert document["needs_attention"] is True
    assert document["issued"] == {"count": 1, "points": 7}
    assert document["already"] == {"count": 1, "points": 200}
    assert [found["sale"] for found in document["changed"]] == ["2"]
    assert [found["sale"] for found in document["refused"]] == ["3-refuse"]
    assert [(found["return"], found["lines"]) for found in document["unmatched"]] == [("R1", [6])]
    assert [(found["return"], found["points"]) for found in document["due"]] == [("R2", 200)]


def test_the_sheet_is_shown_whole(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00"), fuel("2", "x"), fuel("3", "5.00", customer=""), fuel("4", "0.10"))
    said = io.StringIO()
    TillReport(said, width=200).show_sheet(sheet)
    text = said.getvalue()
    for words in ("worth points", "worth no point", "Malformed rows", "till.csv:3", "Sales without customer"):
        assert words in text


def test_an_inspection_is_shown_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "till.csv"
    path.write_text("\n".join((HEADER, fuel("1", "5.00"), fuel("2", "6.00"))) + "\n")
    said = io.StringIO()
    TillReport(said, width=200).show_inspection(inspect_till(path))
    for words in ("till.csv: the first rows", "2026-04-15 00:00:00", "95#", "6.00", "- "):
        assert words in said.getvalue()


class Terminal(io.StringIO):
    """Something that looks like a terminal, so that bars are drawn."""

    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_for_each_step(client: Client, gateway: StandIn) -> None:
    said = Terminal()
    with TillReport(said, width=100).progress() as progress:
        TillImport(client, "FUEL", reverse=True).run(day(), progress)
    for words in ("sales", "165/165", "settling", "returns", "3/3"):
        assert words in said.getvalue()
