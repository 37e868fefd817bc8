"""What becomes of sales that change, of goods that come back and of old sales: on a real network, file after file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from tests.e2e.till import DAY, Till, new_till
from tests.e2e.witness import WAIT, Witness
from tongdui.till import TillImport, read_till
from tongdui.till._sheet import LONGEST_REFERENCE

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def till(witness: Witness, tmp_path: Path) -> Till:
    return new_till(witness, tmp_path)


# --- sales that change


def test_the_same_file_again_does_nothing(till: Till) -> None:
    rows = [till.row("1", "200.00"), till.tea("2", "10.00", customer=2)]
    first, second = till.run(*rows), till.run(*rows)
    assert (len(first.issued), first.points, len(first.orders)) == (2, 220, 1)
    assert (len(second.issued), len(second.already), second.already.points, second.orders) == (0, 2, 220, [])
    assert not second.needs_attention


def test_a_sale_that_was_voided_since_goes_back(till: Till) -> None:
    sold, voided = till.row("V1", "200.00"), till.row("V1", "-200.00", quantity="-10", time="08:02:00")
    till.run(sold)
    told = till.run(sold, voided, reverse=False)
    assert [found.difference for found in told.changed] == [
        "200 points were issued, it is worth 0 now; 95#: 10 for 200.00 then, none now"
    ]
    assert till.points() == 200
    put_right = till.run(sold, voided)
    assert [taken.points for taken in put_right.reversed] == [200]
    assert not put_right.needs_attention
    assert till.points() == 0
    again = till.run(sold, voided)
    assert (again.orders, again.needs_attention, len(again.already)) == ([], False, 1)


def test_a_sale_that_is_worth_less_now_is_brought_down_once(till: Till) -> None:
    till.run(till.row("1", "200.00"))
    for amount, taken in (("150.00", [50]), ("150.00", []), ("120.00", [30]), ("120.00", [])):
        result = till.run(till.row("1", amount))
        assert [found.points for found in result.reversed] == taken
        assert not result.needs_attention
    assert till.points() == 120


def test_a_sale_that_is_worth_more_now_is_named(till: Till) -> None:
    till.run(till.row("1", "200.00"))
    result = till.run(till.row("1", "210.00"))
    assert [found.difference for found in result.changed] == [
        "200 points were issued, it is worth 210 now; 95#: 10 for 200.00 then, 10 for 210.00 now"
    ]
    assert (till.points(), result.needs_attention) == (200, True)


@pytest.mark.parametrize("reverse", [False, True])
def test_another_article_for_the_same_points_is_named(till: Till, reverse: bool) -> None:
    till.run(till.row("1", "200.00"))
    result = till.run(till.tea("1", "100.00"), reverse=reverse)
    assert [found.difference for found in result.changed] == [
        "95#: 10 for 200.00 then, none now; Tea: none then, 1 for 100.00 now"
    ]
    assert (till.points(), result.reversed) == (200, [])


def test_another_customer_is_named_and_nothing_taken(till: Till) -> None:
    till.run(till.row("1", "200.00"), till.row("2", "100.00"))
    result = till.run(till.row("1", "150.00", customer=2), till.row("2", "100.00", customer=""))
    differences = [found.difference for found in result.changed]
    assert differences[0].startswith(f"they were issued to another member than {till.customer(2)}; 200 points")
    assert differences[1] == "the file names no customer now"
    assert (till.points(), result.reversed) == (300, [])


def test_a_second_card_of_the_same_member_is_the_same_customer(till: Till, witness: Witness) -> None:
    till.run(till.row("1", "200.00"))
    witness.fuel.client.members.add_external_id(f"external:{till.customer()}", till.customer(2))
    result = till.run(till.row("1", "200.00", customer=2))
    assert (len(result.already), result.needs_attention) == (1, False)


def test_a_number_that_was_used_again_the_same_day_is_named(till: Till) -> None:
    till.run(till.row("1", "200.00"))
    result = till.run(till.row("1", "200.00", time="15:30:00"))
    (changed,) = result.changed
    assert changed.difference.endswith("was the number used again?")
    assert (till.points(), result.reversed) == (200, [])


def test_a_return_takes_nothing_from_another_sale_with_the_same_number(till: Till) -> None:
    till.run(till.tea("1", "20.00", customer=2, quantity="2"))
    back = till.tea("R1", "-10.00", quantity="-1", time="16:00:00")
    result = till.run(till.tea("1", "20.00", quantity="2", time="15:30:00"), back)
    assert (len(result.changed), result.reversed, till.points(2)) == (1, [], 40)
    assert [lost.reason for lost in result.unmatched] == [
        f"sale {till.name}-1 is not the one that points were issued for"
    ]


def test_a_number_that_was_used_again_the_next_day_is_another_sale(till: Till) -> None:
    till.run(till.row("1", "200.00", day=DAY - timedelta(days=1)))
    result = till.run(till.row("1", "200.00"))
    assert (len(result.issued), result.needs_attention, till.points()) == (1, False, 400)


def test_a_program_whose_rates_have_changed_takes_nothing_from_members(till: Till, tmp_path: Path) -> None:
    rows = [till.row("1", "200.00")]
    till.run(*rows)
    shipped = resources.files("tongdui.till") / "mappings" / "station.toml"
    half = tmp_path / "half.toml"
    half.write_text(shipped.read_text().replace('fuel = "1"', 'fuel = "1/2"'))
    with read_till(till.file(rows), half) as sheet:
        result = TillImport(till.witness.fuel.client, "FUEL", reverse=True).run(sheet)
    (changed,) = result.changed
    assert changed.difference == (
        "200 points were issued, it is worth 100 now; its content is the same: did the mapping change?"
    )
    assert (till.points(), result.reversed) == (200, [])


def test_a_card_that_was_retired_costs_its_own_sales(till: Till, witness: Witness) -> None:
    """A lost card is nobody's until somebody gives it out again on purpose."""
    till.run(till.row("1", "200.00"))
    client = witness.fuel.client
    client.members.add_external_id(f"external:{till.customer()}", till.customer(2))
    client.members.retire_external_id(f"external:{till.customer(2)}", till.customer())
    result = till.run(till.row("2", "100.00"), till.row("3", "50.00", customer=2), till.row("4", "5.00", customer=3))
    assert [(found.source.number, found.code) for found in result.refused] == [
        (f"{till.name}-2", "external_id_retired")
    ]
    assert (len(result.issued), till.points(2), till.points(3)) == (2, 250, 5)


def test_a_sale_whose_card_was_retired_since_is_the_same(till: Till, witness: Witness) -> None:
    sold = till.row("1", "200.00")
    till.run(sold)
    client = witness.fuel.client
    client.members.add_external_id(f"external:{till.customer()}", till.customer(2))
    client.members.retire_external_id(f"external:{till.customer(2)}", till.customer())
    again = till.run(sold)
    assert (again.already.points, again.needs_attention) == (200, False)
    back = till.run(till.row("1", "-200.00", quantity="-10", time="08:05:00"))
    assert ([taken.points for taken in back.reversed], back.needs_attention, till.points(2)) == ([200], False, 0)


# --- goods that come back


def test_a_return_in_the_same_file_is_reversed_once(till: Till) -> None:
    rows = [
        till.tea("1", "10.60", quantity="2"),
        till.tea("R1", "-5.30", quantity="-1", time="09:00:00"),
    ]
    told = till.run(*rows, reverse=False)
    assert ([found.points for found in told.due], told.needs_attention, till.points()) == ([11], True, 21)
    done = till.run(*rows)
    assert ([found.points for found in done.reversed], done.needs_attention) == ([11], False)
    again = till.run(*rows)
    assert (again.orders, len(again.reversed_before), again.reversed_before.points) == ([], 1, 11)
    assert till.points() == 10


def test_returns_in_later_files_take_back_exactly_what_was_given(till: Till) -> None:
    """Three files; each return knows what the ones before have taken, so the rounding comes out even."""
    till.run(till.tea("1", "10.60", quantity="2"))
    first = till.run(till.tea("R1", "-5.30", quantity="-1", time="09:00:00"))
    second = till.run(till.tea("R2", "-5.30", quantity="-1", time="10:00:00"))
    third = till.run(till.tea("R3", "-5.30", quantity="-1", time="11:00:00"))
    assert [[found.points for found in result.reversed] for result in (first, second, third)] == [[11], [10], []]
    (lost,) = third.unmatched
    assert (lost.source.number, lost.lines) == (f"{till.name}-R3", (2,))
    assert third.needs_attention
    assert till.points() == 0


def test_a_later_return_takes_nothing_that_an_earlier_one_took_whatever_their_order_in_the_file(till: Till) -> None:
    """R2 brings back both, but R1 had brought one back before: R2 fits no sale, neither here nor at the gateway."""
    rows = [
        till.tea("1", "10.60", quantity="2"),
        till.tea("R2", "-10.60", quantity="-2", time="10:00:00"),
        till.tea("R1", "-5.30", quantity="-1", time="09:00:00"),
    ]
    for _ in range(2):
        result = till.run(*rows)
        assert [lost.source.number for lost in result.unmatched] == [f"{till.name}-R2"]
        assert till.points() == 10


def test_a_member_that_has_spent_its_points_owes_the_rest(till: Till, witness: Witness) -> None:
    """Case 8: earn 100, redeem 80 elsewhere, return the whole sale in the next day's file."""
    till.run(till.row("1", "100.00"))
    member = witness.fuel.client.members.get(f"external:{till.customer()}")
    witness.fuel.client.redemptions.create(program="FUEL", member=member, points=80, wait=WAIT).settled()
    back = till.row("R1", "-100.00", quantity="-10", time="18:00:00")
    first = till.run(back)
    assert ([taken.points for taken in first.reversed], [owed.points for owed in first.owed]) == ([20], [80])
    assert first.needs_attention
    assert till.points() == 0
    second = till.run(back)
    assert ([taken.points for taken in second.reversed], [owed.points for owed in second.owed]) == ([], [80])
    witness.fuel.client.issuances.create(program="FUEL", member=member, points=90, wait=WAIT).settled()
    third = till.run(back)
    assert ([taken.points for taken in third.reversed], third.owed) == ([80], [])
    assert not third.needs_attention
    assert sorted(str(found.reference)[-2:] for found in till.reversals()) == ["~1", "~2"]
    assert till.points() == 10


def test_two_returns_of_one_member_share_what_it_has(till: Till, witness: Witness) -> None:
    till.run(till.row("1", "100.00"), till.tea("2", "50.00", time="08:30:00"))
    member = witness.fuel.client.members.get(f"external:{till.customer()}")
    witness.fuel.client.redemptions.create(program="FUEL", member=member, points=150, wait=WAIT).settled()
    result = till.run(
        till.row("R1", "-100.00", quantity="-10", time="18:00:00"),
        till.tea("R2", "-50.00", quantity="-1", time="18:30:00"),
    )
    assert ([taken.points for taken in result.reversed], [owed.points for owed in result.owed]) == ([50], [50, 100])
    assert till.points() == 0


def test_a_coupon_goes_back_with_its_goods(till: Till) -> None:
    """Case 7: P1 is tea for 20 with a coupon of 5; P2 negates both lines."""
    till.run(
        till.tea("P1", "20.00", quantity="2"), till.row("P1", "-5.00", article="Coupon", unit="pcs", quantity="-1")
    )
    assert till.points() == 30
    result = till.run(
        till.tea("P2", "-20.00", quantity="-2", time="09:00:00"),
        till.row("P2", "5.00", article="Coupon", unit="pcs", quantity="1", time="09:00:00"),
    )
    assert ([taken.points for taken in result.reversed], result.needs_attention) == ([30], False)
    assert till.points() == 0


def test_a_return_of_the_sales_own_number_in_a_later_file(till: Till) -> None:
    """The sale and the return have the same reference; a file with both then shows the sale as it is."""
    sold = till.tea("1", "20.00", quantity="2")
    back = till.tea("1", "-20.00", quantity="-2", time="08:05:00")
    till.run(sold)
    result = till.run(back)
    assert ([taken.points for taken in result.reversed], result.needs_attention) == ([40], False)
    both = till.run(sold, back)
    assert (both.orders, both.needs_attention, till.points()) == ([], False, 0)


def test_a_sale_that_was_reversed_by_hand_is_not_reversed_again(till: Till, witness: Witness) -> None:
    till.run(till.row("1", "100.00"))
    (issued,) = till.issuances()
    witness.fuel.client.reversals.create(issued, wait=WAIT).settled()
    result = till.run(till.row("R1", "-100.00", quantity="-10", time="18:00:00"))
    assert (result.orders, result.needs_attention) == ([], False)


def test_a_stranger_who_brings_goods_back_is_named(till: Till) -> None:
    result = till.run(till.tea("R1", "-5.00", quantity="-1"), till.tea("R2", "-5.00", quantity="-1", customer=""))
    assert len(result.unmatched) == 2
    assert result.needs_attention


# --- returns of the sale's own number


def test_what_an_amendment_took_is_not_what_a_return_of_the_same_number_takes(till: Till) -> None:
    """Both have the sale's reference: the amendment is `~1`, the return `~2`, and it takes all that is left."""
    till.run(till.tea("1", "100.00", quantity="10"))
    amended = till.run(till.tea("1", "80.00", quantity="8"))
    back = till.tea("1", "-80.00", quantity="-8", time="08:05:00")
    returned = till.run(back)
    assert [[taken.points for taken in result.reversed] for result in (amended, returned)] == [[40], [160]]
    again = till.run(back)
    assert (again.orders, again.needs_attention, till.points()) == ([], False, 0)


def test_a_number_that_two_returns_have_is_named(till: Till) -> None:
    till.run(till.tea("1", "100.00", quantity="10"))
    till.run(till.tea("1", "-10.00", quantity="-1", time="08:05:00"))
    result = till.run(till.tea("1", "-10.00", quantity="-1", time="08:30:00"))
    (changed,) = result.changed
    assert changed.difference.endswith("was the number used for two returns?")
    assert (till.points(), result.reversed) == (180, [])


def test_a_return_that_the_sale_had_in_it_already_takes_nothing(till: Till) -> None:
    """Files whose hours overlap: the first has the sale and the voided piece, the second has the voided piece again."""
    voided = till.tea("1", "-20.00", quantity="-1", time="08:05:00")
    till.run(till.tea("1", "60.00", quantity="3"), voided)
    again = till.run(voided)
    assert (again.orders, again.needs_attention, till.points()) == ([], False, 80)
    later = till.tea("1", "-20.00", quantity="-1", time="08:20:00")
    result = till.run(voided, later)
    assert ([taken.points for taken in result.reversed], till.points()) == ([40], 40)
    for rows in ([till.tea("1", "60.00", quantity="3"), voided, later], [voided], [voided, later]):
        result = till.run(*rows)
        assert (result.orders, result.needs_attention, till.points()) == ([], False, 40)


def test_a_return_that_an_amendment_has_in_it_takes_nothing_twice(till: Till) -> None:
    """The void is `~1`; the whole sale, with another void, is brought down by `~2`; then a third piece comes back."""
    sold = till.tea("1", "60.00", quantity="3")
    voids = [till.tea("1", "-20.00", quantity="-1", time=f"08:0{minute}:00") for minute in (5, 6)]
    till.run(sold)
    till.run(voids[0])
    amended = till.run(sold, *voids)
    assert [taken.points for taken in amended.reversed] == [40]
    assert till.run(voids[0]).orders == []
    back = till.run(till.tea("R9", "-20.00", quantity="-1", time="15:00:00"))
    assert ([taken.points for taken in back.reversed], back.needs_attention, till.points()) == ([40], False, 0)


def test_what_a_return_of_the_same_number_owes_is_taken_by_the_whole_sale_too(till: Till, witness: Witness) -> None:
    sold, voided = till.tea("1", "50.00", quantity="5"), till.tea("1", "-50.00", quantity="-5", time="08:05:00")
    till.run(sold)
    member = witness.fuel.client.members.get(f"external:{till.customer()}")
    witness.fuel.client.redemptions.create(program="FUEL", member=member, points=90, wait=WAIT).settled()
    first = till.run(voided)
    assert ([taken.points for taken in first.reversed], [owed.points for owed in first.owed]) == ([10], [90])
    witness.fuel.client.issuances.create(program="FUEL", member=member, points=200, wait=WAIT).settled()
    second = till.run(sold, voided)
    assert ([taken.points for taken in second.reversed], second.needs_attention) == ([90], False)
    for rows in ([sold, voided], [voided]):
        result = till.run(*rows)
        assert (result.orders, result.needs_attention, till.points()) == ([], False, 110)


def test_a_return_of_an_earlier_files_number_takes_from_no_other_sale_of_its_file(till: Till) -> None:
    till.run(till.tea("1", "60.00", quantity="3"))
    other = till.tea("2", "90.00", quantity="3", time="08:02:00")
    result = till.run(other, till.tea("1", "-60.00", quantity="-3", time="08:05:00"))
    assert ([taken.points for taken in result.reversed], till.points()) == ([120], 180)


def test_the_longest_reference_has_room_for_its_reversals(till: Till) -> None:
    """One more character, and neither the sale nor any other return of the file could be looked up."""
    number = "9" * (LONGEST_REFERENCE - len(f"till:{DAY}:{till.name}-"))
    till.run(till.tea(number, "20.00", quantity="2"))
    back = till.tea(number, "-20.00", quantity="-2", time="08:05:00")
    result = till.run(back)
    assert ([taken.points for taken in result.reversed], result.needs_attention, till.points()) == ([40], False, 0)
    with read_till(till.file([till.tea(number + "9", "20.00")])) as sheet:
        assert [held.reason for held in sheet.held_back] == ["its reference has 137 characters; there is room for 136"]


# --- rounding


def test_returns_that_are_worth_no_point_alone_are_worth_some_together(till: Till) -> None:
    """Eight pieces of 0.3 points make 2: all of them in one file take 2 back."""
    till.run(till.tea("1", "1.20", quantity="8"))
    backs = [till.tea(f"R{n}", "-0.15", quantity="-1", time=f"09:0{n}:00") for n in range(8)]
    for taken in ([1, 1], []):
        result = till.run(*backs)
        assert [found.points for found in result.reversed] == taken
        assert (till.points(), result.needs_attention) == (0, False)


def test_returns_that_come_in_another_order_than_they_happened_round_evenly(till: Till) -> None:
    sold = till.tea("1", "5.55", quantity="3")
    backs = [till.tea(f"R{n}", "-1.85", quantity="-1", time=f"1{n}:00:00") for n in range(3)]
    till.run(sold)
    taken = [till.run(backs[n]).reversed[0].points for n in (2, 0)]
    result = till.run(sold, *backs)
    assert (taken, [found.points for found in result.reversed]) == ([4, 4], [3])
    again = till.run(sold, *backs)
    assert (again.orders, again.needs_attention, till.points()) == ([], False, 0)


# --- by hand


@pytest.mark.parametrize("comes_back", [False, True])
def test_what_was_reversed_by_hand_is_named_and_not_taken_again(till: Till, witness: Witness, comes_back: bool) -> None:
    """Nobody can tell what a reversal by hand was for, so the import neither counts it nor takes the same again."""
    till.run(till.tea("1", "100.00", quantity="10"))
    (issued,) = till.issuances()
    witness.fuel.client.reversals.create(issued, points=20, wait=WAIT).settled()
    row = (
        till.tea("R1", "-20.00", quantity="-2", time="15:00:00") if comes_back else till.tea("1", "80.00", quantity="8")
    )
    first = till.run(row)
    reference = f"till:{DAY}:{till.name}-{'R1' if comes_back else '1'}~1"
    said = first.unmatched[0].reason if comes_back else first.changed[0].difference
    assert "20 points of" in said
    assert said.endswith(f"under the reference {reference}")
    assert (first.orders, till.points()) == ([], 180)
    witness.fuel.client.reversals.create(issued, points=40, reference=reference, wait=WAIT).settled()
    second = till.run(row)
    assert (second.orders, second.needs_attention, till.points()) == ([], False, 140)


# --- when


def test_points_expire_counted_from_the_sales_day(witness: Witness, tmp_path: Path) -> None:
    """Case 12: a program of 30 days; sales of 29 days ago and of 400 days ago."""
    short = witness.participants.operator.programs.create(
        merchant=witness.fuel.merchant, code="SHORT", name="Short", default_lifetime_days=30, wait=WAIT
    )
    till = new_till(witness, tmp_path, short.code)
    today = (datetime.now(UTC) + timedelta(hours=8)).date()
    recent, old = today - timedelta(days=29), today - timedelta(days=400)
    result = till.run(till.row("1", "200.00", day=recent), till.row("2", "300.00", day=old))
    (issued,) = till.issuances()
    assert issued.expires_on == recent + timedelta(days=30)
    assert [(found.source.number, found.code) for found in result.refused] == [(f"{till.name}-2", "already_expired")]
    assert result.points == 200
