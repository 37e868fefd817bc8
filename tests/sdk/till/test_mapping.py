"""Mappings: what a TOML file may say about a till, and that a mistake in it is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tongdui import TillError
from tongdui.till._mapping import TillMapping

COLUMNS = {"time": "t", "sale": "s", "customer": "c", "article": "a", "quantity": "q", "amount": "m"}
DOCUMENT: dict[str, Any] = {"columns": COLUMNS, "points": {"x": "1"}, "articles": {"x": ["*"]}}


def parsed(**change: Any) -> TillMapping:
    return TillMapping.parse({**DOCUMENT, **change}, "mine.toml")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"typo": {}}, "unknown section typo"),
        ({"till": 5}, r"\[till\] must be a table"),
        ({"till": {"tine": "x"}}, "unknown settings: tine"),
        ({"till": {"encoding": "gb18030"}}, r"encoding is a setting of \[file\]"),
        ({"till": {"zone": "Mars/Olympus"}}, "no time zone"),
        ({"till": {"times": [5]}}, "a text or a list of texts"),
        ({"till": {"day_starts": "4"}}, 'such as "04:00"'),
        ({"till": {"longest_sale": "an hour"}}, 'such as "60m"'),
        ({"till": {"amount_decimals": "2"}}, "a whole number"),
        ({"till": {"amount_decimals": -1}}, "a whole number"),
        ({"till": {"reference": "till"}}, "must contain {sale}"),
        ({"till": {"reference": "{sale}{"}}, "reference"),
        ({"till": {"reference": "{day:%Y}:{sale}"}}, "must contain {sale}, and may contain {day} and {till}"),
        ({"till": {"reference": "{sale!r}"}}, "must contain {sale}, and may contain {day} and {till}"),
        ({"till": {"reference": "{till}:{sale}"}}, "no till"),
        ({"till": {"reference": "{day}:{sale}"}, "columns": {**COLUMNS, "till": "k"}}, "must contain {till}"),
        ({"customers": {"kind": "face"}}, r"\[customers\] kind is one of 'card', 'phone', 'plate'"),
        ({"customers": {"country": "86"}}, r'\[customers\] country is the code of a country such as "\+86"'),
        ({"file": {"encoding": "klingon"}}, "no encoding"),
        ({"file": {"encoding": "hex"}}, "no encoding"),
        ({"file": {"delimiter": ";;"}}, "one character"),
        ({"file": {"delimiter": '"'}}, "one character"),
        ({"file": {"footer": ["Total", " "]}}, r"\[file\] footer has an empty text"),
        ({"numbers": {"currency": [""]}}, r"\[numbers\] currency has an empty text"),
        ({"file": {"header": 0}}, "counted from 1"),
        ({"numbers": {"decimal": ";"}}, "is one of '.', ','"),
        ({"numbers": {"thousands": "."}}, "decimal and thousands are both '.'"),
        ({"numbers": {"negative": ["brackets"]}}, "'leading', 'trailing', 'parentheses', not 'brackets'"),
        ({"numbers": {"bare_fraction": "yes"}}, "true or false"),
        ({"columns": {"time": "t"}}, "lacks sale, customer, article, quantity"),
        ({"columns": {**COLUMNS, "unit_price": "p"}}, "either amount or unit_price"),
        ({"columns": {**COLUMNS, "colour": "p"}}, "unknown settings: colour"),
        ({"columns": {**COLUMNS, "sale": []}}, "sale is the name of a column or a list of names"),
        ({"columns": {**COLUMNS, "till": "s"}}, "uses 's' for sale and for till"),
        ({"columns": {**COLUMNS, "optional": {"colour": "p"}}}, "unknown names: colour"),
        ({"columns": {**COLUMNS, "optional": {"sale": "p"}}}, "cannot have sale"),
        (
            {"columns": {**COLUMNS, "till": "k", "optional": {"till": "p"}}},
            "till is in .columns. and in .columns.optional.",
        ),
        ({"columns": {**COLUMNS, "optional": {"unit_price": "p"}}}, "cannot have unit_price"),
        ({"rows": {"only": {"state": ["a"]}, "skip": {"state": ["b", "a"]}}}, "has a of state in only and in skip"),
        ({"rows": {"only": {"state": ["a"]}, "ignore": ["state"]}}, "ignores state and chooses by it"),
        ({"rows": {"only": ["state"]}}, "must be a table"),
        ({"points": {"x": 0.5}}, "write Fraction"),
        ({"points": {"x": "-1"}}, "not a rate"),
        ({"points": {"x": {"litre": "2"}}}, r"\[points\] x is a rate, or a table"),
        ({"points": {"x": {}}}, r"\[points\] x is a rate, or a table"),
        ({"articles": {"b": ["x"]}}, "has no rate"),
        ({"articles": {"x": [92]}}, "a text or a list of texts"),
        ({"articles": {"x": ["y"], "c": ["y"]}, "points": {"x": "1", "c": "1"}}, "'y' twice"),
        ({"articles": {"x": ["95#"], "c": ["９５＃"]}, "points": {"x": "1", "c": "1"}}, "'95#' twice"),
        ({"units": {"x": "L"}}, "needs a unit column"),
        ({"units": {"y": "L"}, "columns": {**COLUMNS, "unit": "u"}}, "names y, which .points. does not"),
    ],
)
def test_a_mapping_with_a_mistake_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(TillError, match=rf"mapping mine\.toml: .*{says}"):
        parsed(**change)


def test_every_setting_has_its_place() -> None:
    mapping = parsed(
        till={
            "name": "Mine", "zone": "Europe/London", "times": "excel", "reference": "{till}/{day}/{sale}",
            "day_starts": "04:30", "longest_sale": "2h", "amount_decimals": 3,
        },
        file={"encoding": "GBK", "delimiter": ";", "sheet": "Sales", "header": 4, "footer": ["Total"]},
        numbers={
            "decimal": ",", "thousands": ".", "currency": ["€"], "negative": ["trailing"], "bare_fraction": True,
        },
        columns={**COLUMNS, "time": ["t", "T"], "till": "k", "optional": {"unit": ["u", "ｕｎｉｔ"]}},
        rows={"only": {"state": "PAID"}, "skip": {"kind": ["test", "void"]}, "ignore": ["payment"]},
        customers={"none": ["0"]},
        returns={"prefix": "R"},
        points={"x": {"amount": "1/2", "quantity": "2"}, "y": {"quantity": "3"}, "z": 1},
        articles={"x": ["*"], "y": ["Ｔｅａ"]},
        units={"x": ["升", "Ｌ"]},
    )  # fmt: skip
    assert (mapping.name, mapping.zone.key, mapping.times, mapping.amount_decimals) == (
        "Mine",
        "Europe/London",
        ("excel",),
        3,
    )
    assert (mapping.day_starts, mapping.longest_sale) == (timedelta(hours=4, minutes=30), timedelta(hours=2))
    file, numbers, rows = mapping.file, mapping.numbers, mapping.rows
    assert (file.encoding, file.delimiter, file.sheet, file.header, file.footer) == ("gbk", ";", "Sales", 4, ("Total",))
    assert (numbers.decimal, numbers.thousands, numbers.currency, numbers.negative) == (",", ".", ("€",), ("trailing",))
    assert numbers.bare_fraction
    assert (mapping.columns["time"], mapping.optional) == (("t", "T"), {"unit": ("u", "unit")})
    assert (rows.only, rows.skip, rows.ignore) == ({"state": ("PAID",)}, {"kind": ("test", "void")}, ("payment",))
    assert (mapping.no_customer, mapping.return_prefix, mapping.units) == (("0",), "R", {"x": ("升", "L")})
    assert mapping.rule.rates == {"x": Fraction(1, 2), "y": 0, "z": 1}
    assert mapping.rule.per_quantity == {"x": 2, "y": 3}
    assert (mapping.rule.articles, mapping.rule.default) == ({"Tea": "y"}, "x")


def test_a_reference_names_till_day_and_number() -> None:
    day = date(2026, 4, 15)
    assert parsed().reference_of("", day, "0001") == "till:2026-04-15:0001"
    assert parsed(columns={**COLUMNS, "till": "k"}).reference_of("2", day, "0001") == "till:2:2026-04-15:0001"
    assert parsed(till={"reference": "shop-7:{sale}"}).reference_of("", day, "0001") == "shop-7:0001"


def test_a_business_day_may_end_after_midnight() -> None:
    mapping = parsed(till={"day_starts": "04:00"})
    before, after = (
        (datetime(2026, 4, 15, 19, minute, tzinfo=UTC) for minute in (59,)),
        datetime(2026, 4, 15, 20, tzinfo=UTC),
    )
    assert [mapping.day_of(time) for time in (*before, after)] == [date(2026, 4, 15), date(2026, 4, 16)]


def test_a_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TillError, match=r"mapping nowhere: "):
        TillMapping.load("nowhere")
    (tmp_path / "broken.toml").write_text("[till\n")
    with pytest.raises(TillError, match=r"broken\.toml"):
        TillMapping.load(tmp_path / "broken.toml")


@pytest.mark.parametrize("name", ["station", "online_retail"])
def test_the_mappings_that_ship_are_good(name: str) -> None:
    assert TillMapping.load(name).rule.points({}) == 0


def test_customers_are_cards_unless_the_mapping_says_otherwise() -> None:
    assert (parsed().customer_kind, parsed().customer_country) == ("card", "")
    phones = parsed(customers={"kind": "phone", "country": "+86"})
    assert (phones.customer_kind, phones.customer_country) == ("phone", "+86")


@pytest.mark.parametrize(
    ("category", "unit", "quantity", "measure"),
    [
        ("fuel", "公升", "38.2", "l"),
        ("fuel", "L", "40", "l"),
        ("shop", "千克", "0.5", "kg"),
        ("shop", "kWh", "12.5", "kwh"),
        ("shop", "瓶", "2", "piece"),
        ("shop", "ml", "500", ""),
        ("fuel", "", "40", "l"),
        ("shop", "", "2", "piece"),
        ("shop", "", "0.5", ""),
        ("wash", "", "1", ""),
    ],
)
def test_a_quantity_is_told_in_a_measure(category: str, unit: str, quantity: str, measure: str) -> None:
    """Without a unit the category decides, if it leaves no doubt."""
    assert TillMapping.load("station").measure_of(category, unit, Decimal(quantity)) == measure
