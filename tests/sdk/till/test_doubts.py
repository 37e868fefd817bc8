"""Whatever happens to a till's file, nothing is doubled, and a doubt costs the sale that it belongs to and no other."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tongdui.till import TillMapping, read_till

MAPPING = TillMapping.parse(
    {
        "columns": {
            "till": "till",
            "time": "time",
            "sale": "sale",
            "customer": "customer",
            "article": "article",
            "quantity": "quantity",
            "amount": "amount",
        },
        "points": {"fuel": "1", "shop": "2"},
        "articles": {"fuel": ["95#"], "shop": ["*"]},
    },
    "doubts.toml",
)
HEADER = "till,time,sale,customer,article,quantity,amount"

Fields = tuple[str, ...]
"""The fields of a row."""

FUEL = st.tuples(
    st.just("95#"), st.sampled_from(["10.01", "32.10", "40"]), st.sampled_from(["80.08", "262.26", "0.99"])
)
SHOP = st.tuples(
    st.sampled_from(["Tea", "Milk"]), st.sampled_from(["1", "2"]), st.sampled_from(["5.00", "0.50", "19.99"])
)
SALE = st.builds(
    lambda till, day, hour, number, customer, rows: [
        (till, f"2026-04-{day} {hour:02}:00:00", number, customer, *row) for row in rows
    ],
    st.sampled_from("12"),
    st.sampled_from([14, 15]),
    st.sampled_from(range(6, 23, 2)),
    st.sampled_from(["0001", "0002", "0003"]),
    st.sampled_from(["FC-1", "FC-2", ""]),
    st.lists(FUEL | SHOP, min_size=1, max_size=3),
)
FILE = st.lists(SALE, min_size=1, max_size=6).map(lambda sales: [row for sale in sales for row in sale])
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def issued(directory: Path, rows: list[Fields]) -> dict[str, tuple[str, int, list[Fields]]]:
    """What a file of these rows would issue: customer, points and rows of each sale, by its reference."""
    path = directory / "till.csv"
    path.write_text("\n".join([HEADER, *(",".join(row) for row in rows)]) + "\n")
    with read_till(path, MAPPING) as sheet:
        assert sum(sheet.rows_by_fate().values()) == sheet.rows_read == len(rows)
        return {
            sale.reference: (sale.customer, sale.points, [rows[line - 2] for line in sale.lines])
            for sale in sheet.sales
        }


@QUICK
@given(rows=FILE.filter(lambda rows: len({(row[0], row[2], *row[4:]) for row in rows}) > 1))
def test_a_file_that_is_appended_to_itself_issues_nothing(tmp_path: Path, rows: list[Fields]) -> None:
    """Only a file of equal pieces in one sale may be longer than it was: a cashier scans a piece as often as it is bought."""
    assert issued(tmp_path, rows * 2) == {}


@QUICK
@given(rows=FILE, data=st.data())
def test_a_row_that_cannot_be_read_costs_its_own_sale_and_no_other(
    tmp_path: Path, rows: list[Fields], data: st.DataObject
) -> None:
    """A row whose time cannot be read costs the sales of all days, one without a till those of all tills."""
    before = issued(tmp_path, rows)
    place, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.sampled_from([0, 1, 4, 5, 6]))
    broken = [*rows]
    broken[place] = (*rows[place][:column], "" if column < 5 else "x", *rows[place][column + 1 :])
    after = issued(tmp_path, broken)
    till, time, number = rows[place][:3]

    def is_in_doubt(sale: Fields) -> bool:
        same_till, same_day = sale[0] == till or column == 0, sale[1][:10] == time[:10] or column == 1
        return sale[2] == number and same_till and same_day

    assert after == {key: sale for key, sale in before.items() if not is_in_doubt(sale[2][0])}


@QUICK
@given(rows=FILE, data=st.data())
def test_the_order_of_sales_in_a_file_means_nothing(tmp_path: Path, rows: list[Fields], data: st.DataObject) -> None:
    """Sales may be written in any order, as long as the rows of each stay together."""
    groups: dict[Fields, list[Fields]] = {}
    for row in rows:
        groups.setdefault(row[:3], []).append(row)
    together = [row for group in groups.values() for row in group]
    shuffled = [row for key in data.draw(st.permutations(list(groups))) for row in groups[key]]
    assert issued(tmp_path, shuffled) == issued(tmp_path, together)
