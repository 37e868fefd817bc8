"""A condition is refused when it is written, with the place and what to write; one that is taken never fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.earning.conditions import ConditionError, compile_condition
from loyalty.earning.names import LINE_NAMES, NAMES, Facts
from loyalty.sales.types import Weather
from tests.loyalty.earning.programmes import customer, fuel, line, sale
from tests.loyalty.earning.strategies import customers, sales

FACTS = Facts.of(
    sale(fuel("40", "300.05"), line(2, "oil", "99"), weather=Weather(rain=True), till="2"),
    customer(tier="gold", birthday_month=7),
)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("line.categroy == 'fuel'", "1:1: line.categroy is not known: did you mean line.category?"),
        ("weather.rain && line.articel == '95'", "1:17: line.articel is not known: did you mean line.article?"),
        (
            "weather.rain &&\n sale.locl_time.hour > 3",
            "2:2: sale.locl_time.hour is not known: did you mean sale.local_time.hour?",
        ),
        ("hour > 3", "1:1: hour is not known: did you mean sale.local_time.hour?"),
        ("tier == 'gold'", "1:1: tier is not known: did you mean customer.tier?"),
        ("customer.tier == gold", "1:18: gold is not known: if it is a text, write 'gold'"),
        ("line.category.startWith('f')", "1:15: startWith is not known: did you mean startsWith?"),
        ("line.category.matches('f.*')", "1:15: matches is not known: use contains, endsWith, size, startsWith"),
        ("line.category == 3", "1:15: == does not take string and int: a text stands in quotes, a number does not"),
        (
            "line.amount_fen > 99.5",
            "1:17: > does not take int and double: write whole numbers, such as fen in place of yuan",
        ),
        (
            "customer.tier == null",
            "1:15: == does not take string and null_type: a name always has a value; compare with '' or 0",
        ),
        ("weather.rain && line.amount_fen", "1:14: && does not take bool and int"),
        ("weather.rain or weather.snow", "1:14: CEL does not know 'or': write ||"),
        ("customer.tier = 'gold'", "1:15: CEL does not know '=': write =="),
        ("customer.tier == ‘gold’", "1:18: CEL does not know '‘': write '"),
        ("weather.rain &&", "1:16: the condition ends too early"),
        ("", "1:1: the condition ends too early"),
        ("sale.amount_fen", "is of type int: compare it with something, such as `sale.amount_fen == ...`"),
        ("'x' == 'x' ? 'a' : 'b'", "is of type string"),
        ("true" + " " * 1_000, "has 1004 characters: write at most 1000"),
    ],
)
def test_a_wrong_condition_is_refused_with_its_place(source: str, message: str) -> None:
    with pytest.raises(ConditionError) as refused:
        compile_condition(source)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        "line.amount_fen / 0 > 1",
        "sale.weekday % 0 == 1",
        "line.amount_fen * 9223372036854775807 > 1",
        "line.amount_fen + 9223372036854775807 > 1",
        "line.amount_fen - 9223372036854775807 > 1",
        "-line.amount_fen < 1",
        "sale.categories[5] == 'a'",
        "{'a': 1}.b == 1",
        "{'a': 1}['b'] == 1",
        "int(line.article) == 95",
        "timestamp(line.article) == timestamp(line.article)",
        "duration(line.article) == duration('1s')",
        "line.article.matches('(')",
        "dyn(line.article) > 1",
        "sale.categories.exists(c, dyn(c) > 1)",
        "has(line.article)",
        "google.protobuf.Int32Value{value: 1} == 1",
    ],
)
def test_what_could_fail_later_does_not_compile(source: str) -> None:
    with pytest.raises(ConditionError):
        compile_condition(source)


def test_every_problem_of_a_condition_is_told_at_once() -> None:
    with pytest.raises(ConditionError) as refused:
        compile_condition("line.categroy == 'x' && customer.teir == 'gold'")
    assert len(refused.value.problems) == 2


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ("true", True),
        ("line.category == 'fuel' && line.unit == 'l'", True),
        ("line.quantity_milli >= 40000", True),
        ("line.amount_fen == 30005", True),
        ("line.article in ['92', '95', 95]", True),
        ("sale.amount_fen > 39904 && sale.amount_fen < 39906", True),
        ("'oil' in sale.categories && !('filter' in sale.categories)", True),
        ("size(sale.articles) == 2", True),
        ("sale.local_time.hour == 15 && sale.local_time.minute == 30 && sale.weekday == 2", True),
        ("sale.local_date.year == 2026 && sale.local_date.month == 7 && sale.local_date.day == 7", True),
        ("sale.business_day >= '2026-07-01' && sale.till == '2'", True),
        ("station.id == '17' && station.region.startsWith('nor')", True),
        ("customer.tier == 'gold' ? weather.rain : weather.snow", True),
        ("customer.birthday_month == sale.local_date.month", True),
        ("customer.first_purchase || customer.sales_this_month > 0", False),
        ("weather.heat || weather.frost", False),
        ("'line.article' == line.category", False),
    ],
)
def test_a_condition_sees_sale_station_customer_and_weather(source: str, holds: bool) -> None:
    assert (FACTS.sale.lines[0] in compile_condition(source).matching(FACTS)) is holds


def test_a_condition_knows_which_names_it_uses() -> None:
    condition = compile_condition("customer.tier == 'line.category' && sale.local_time.hour > 3")
    assert set(condition.names) == {"customer.tier", "sale.local_time.hour"}
    assert not condition.per_line
    assert compile_condition("line.category == 'customer.tier'").per_line


def _literal(name: str) -> str:
    """A literal that the name may be compared with."""
    return {"STRING": "'fuel'", "INT": "20", "BOOL": "true"}[(NAMES | LINE_NAMES)[name].type.name()]


_SIMPLE = st.sampled_from(sorted({*NAMES, *LINE_NAMES} - {"sale.articles", "sale.categories"})).flatmap(
    lambda name: st.sampled_from(["==", "!=", "<", ">="]).map(lambda operator: f"{name} {operator} {_literal(name)}")
) | st.sampled_from(["'fuel' in sale.categories", "line.article in sale.articles", "size(line.category) > 3"])
_EXPRESSIONS = st.recursive(
    _SIMPLE,
    lambda inner: (
        st.builds("({} && {})".format, inner, inner)
        | st.builds("({} || {})".format, inner, inner)
        | st.builds("!({})".format, inner)
        | st.builds("({} ? {} : {})".format, inner, inner, inner)
    ),
    max_leaves=5,
)


@given(_EXPRESSIONS, sales(), customers())
def test_what_compiles_has_an_answer_for_every_sale(source: str, bought, who) -> None:
    condition = compile_condition(source)
    facts = Facts.of(bought, who)
    matching = condition.matching(facts)
    assert {*matching} <= {*bought.lines}
    assert condition.per_line or len(matching) in (0, len(bought.lines))


def _verdict(text: str) -> tuple[str, ...] | bool:
    """What the condition says of a sale, or why it is refused."""
    try:
        return bool(compile_condition(text).matching(FACTS))
    except ConditionError as refused:
        return refused.problems


@given(st.text(max_size=30))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    verdict = _verdict(text)
    assert isinstance(verdict, bool) or (verdict and all(verdict))
