"""Merges: the id leads to the new member at once, the points follow exactly once, and nothing is lost on the way."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from clearing.kit.clock import MovableClock
from clearing.kit.errors import ClearingError, Conflict, Forbidden, NotFound, Refused, Unavailable
from clearing.kit.events.models import Event
from clearing.kit.viewer import Viewer
from clearing.ledger.accounts.models import Account
from clearing.ledger.lots.service import LotService
from clearing.ordering.expiry.rounds import ExpiryRound
from clearing.ordering.merges.models import Merge, MergeState
from clearing.ordering.merges.rounds import MergeRound
from clearing.ordering.merges.service import MergeService
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.kinds.redeem import RedeemRequest
from clearing.ordering.orders.kinds.reverse import ReverseRequest
from clearing.ordering.orders.models import Instruction, Order, OrderState
from clearing.ordering.orders.service import OrderService
from clearing.parties.members.freezes import FreezeService
from clearing.parties.members.models import LinkOrigin, Member, MemberLink
from clearing.parties.members.repository import KnownMember, MemberRepository
from clearing.parties.merchants.models import Merchant
from tests.ordering.test_holds import at_once, capture, hold, let_pass, release
from tests.support.chainless import ChainlessNetwork
from tests.support.entry_history import EntryHistory
from tests.support.harness import Harness
from tongdui.orders import Kind


def propose(network: Harness, old: str, new: str, merchant: int = 1) -> str:
    with network.database.session.begin() as session:
        service = MergeService(session, network=network.network)
        return service.propose(session.get_one(Merchant, merchant), old, new, "test").id


def confirm(network: Harness, merge: str, merchant: int = 1) -> str:
    with network.database.session.begin() as session:
        service = MergeService(session, network=network.network)
        return service.confirm(session.get_one(Merchant, merchant), merge, "test").id


def merge(network: Harness, old: str, new: str) -> str:
    return confirm(network, propose(network, old, new))


def go_round(network: Harness) -> None:
    rounds = MergeRound(network.database, network.settings, network.keyring)
    rounds.run_late()
    rounds.run()


def state(network: Harness, merge_id: str) -> MergeState:
    with network.database.session() as session:
        return session.get_one(Merge, merge_id).state


def events(network: Harness, type: str) -> list[tuple[int | None, dict[str, object]]]:  # noqa: A002
    with network.database.session() as session:
        query = select(Event).where(Event.type == type).order_by(Event.seq)
        return [(event.merchant_number, event.data) for event in session.scalars(query)]


def transfers(network: Harness) -> list[tuple[str | None, int]]:
    with network.database.session() as session:
        query = select(Instruction.reference, Instruction.points).where(Instruction.kind == int(Kind.TRANSFER))
        return [(reference, points) for reference, points in session.execute(query.order_by(Instruction.order_seq))]


def posted(network: Harness, address: str) -> dict[int, int]:
    with network.database.session() as session:
        query = select(Account.program, Account.posted).where(Account.address == address)
        return {program: points for program, points in session.execute(query) if points}


def finish(network: Harness) -> None:
    """Rounds and blocks until nothing moves any more."""
    for _ in range(3):
        go_round(network)
        network.settle()
    go_round(network)


# -------------------------------------------------------------------- what a merge does


def test_points_of_all_programs_and_every_name_follow(harness: Harness) -> None:
    old, new = harness.member(), harness.member()
    day = harness.network.date_of(harness.today() + 40)
    harness.accept(1, [IssueRequest(member=old, points=100, program="FUEL", expires_on=day)])
    harness.issue(new, 7)
    harness.settle()
    harness.exchange(old, 40)
    harness.settle()
    (old_address, _), (new_address, _) = harness.account(old), harness.account(new)
    merged = merge(harness, old, new)
    assert state(harness, merged) is MergeState.MOVING
    finish(harness)
    assert state(harness, merged) is MergeState.DONE
    assert posted(harness, old_address) == {}
    assert posted(harness, new_address) == {1: 67, 2: 36}
    assert sorted(transfers(harness)) == [(f"merge:{merged}:1:1", 60), (f"merge:{merged}:2:1", 36)]
    with harness.database.session() as session:
        lots = LotService(session, network=harness.network).of((new_address, 1))
        assert [(lot.points, lot.expiry_day) for lot in lots] == [(60, harness.today() + 40), (7, 0)]
        members = MemberRepository(session)
        found = KnownMember(new, new_address)
        assert members.resolve_all([(1, old), (1, new), (1, f"external:{old}")]) == {
            (1, old): found,
            (1, new): found,
            (1, f"external:{old}"): found,
        }
        assert [members.resolve(2, name).id for name in (old, new, f"external:{old}")] == [new] * 3  # type: ignore[union-attr]
        assert members.resolve(3, old) is None
        of_new = select(Instruction.id).where(Instruction.member_id == new)
        assert len(session.scalars(of_new).all()) == 5, "the old member's movements are the new one's now"
    harness.redeem(old, 67, "FUEL")
    harness.settle()
    assert posted(harness, new_address) == {2: 36}
    harness.check()


def test_running_the_round_again_moves_nothing_twice(harness: Harness) -> None:
    old, new = harness.member(), harness.member()
    harness.issue(old, 100)
    harness.settle()
    merge(harness, old, new)
    for _ in range(3):
        go_round(harness)
    harness.settle()
    for _ in range(3):
        go_round(harness)
    assert [points for _, points in transfers(harness)] == [100]
    assert harness.available(new) == 100
    harness.check()


def test_a_crash_between_any_two_steps_of_the_round_loses_nothing(harness: Harness) -> None:
    old, new = harness.member(), harness.member()
    harness.issue(old, 100)
    harness.settle()
    harness.exchange(old, 10)
    harness.settle()
    merged = merge(harness, old, new)
    for transactions in (0, 1, 2, 3, 9):
        crashing = _CrashingRound(harness.database, harness.settings, harness.keyring)
        crashing.left = transactions
        with contextlib.suppress(_Crash):
            crashing.run()
        harness.restart()
        harness.settle()
    go_round(harness)
    assert state(harness, merged) is MergeState.DONE
    assert sorted(points for _, points in transfers(harness)) == [9, 90]
    harness.check()


def test_points_on_their_way_to_the_old_address_are_moved_when_they_arrive(harness: Harness) -> None:
    old, new = harness.member(), harness.member()
    harness.issue(old, 50)
    harness.issue(new, 1)
    merged = merge(harness, old, new)
    go_round(harness)
    assert state(harness, merged) is MergeState.MOVING, "the issuance has not settled"
    finish(harness)
    assert (state(harness, merged), harness.available(new)) == (MergeState.DONE, 51)
    harness.check()


def test_points_that_come_back_later_are_moved_too(harness: Harness) -> None:
    old, new = harness.member(), harness.member()
    harness.issue(old, 100)
    harness.settle()
    sale = harness.redeem(old, 30, "FUEL")
    harness.settle()
    merged = merge(harness, old, new)
    finish(harness)
    assert (state(harness, merged), harness.available(new)) == (MergeState.DONE, 70)
    with harness.database.session() as session:
        movement_id = session.scalars(select(Instruction.id).join(Instruction.order).where(Order.id == sale)).one()
    harness.accept(1, [ReverseRequest(movement=movement_id)])
    harness.settle()
    finish(harness)
    assert (state(harness, merged), harness.available(new)) == (MergeState.DONE, 100)
    assert [reference for reference, _ in transfers(harness)] == [f"merge:{merged}:1:1", f"merge:{merged}:1:2"]
    harness.check()


def test_a_merged_member_may_be_merged_again(harness: Harness) -> None:
    one, two, three = harness.member(), harness.member(), harness.member()
    for member, points in ((one, 1), (two, 20), (three, 300)):
        harness.issue(member, points)
    harness.settle()
    merge(harness, one, two)
    merge(harness, two, three)  # before the first one's points have moved
    finish(harness)
    assert posted(harness, harness.account(three)[0]) == {1: 321}
    with harness.database.session() as session:
        assert session.get_one(Member, one).merged_into == three
    with pytest.raises(Refused) as refusal:
        propose(harness, one, three)
    assert refusal.value.code == "same_member"
    harness.check()


def test_expired_points_are_burnt_at_the_old_address_and_not_moved(chainless: ChainlessNetwork) -> None:
    old, new = chainless.member(), chainless.member()
    (address, _), yesterday = chainless.account(old), chainless.today() - 1
    history = EntryHistory(day=yesterday - 50)
    history.issue(address, 60, yesterday)
    history.issue(address, 40)
    chainless.post(history)
    merge(chainless, old, new)
    ExpiryRound(chainless.database, chainless.settings, chainless.keyring).run()
    go_round(chainless)
    with chainless.database.session() as session:
        query = select(Instruction.kind, Instruction.address, Instruction.points, Instruction.member_id)
        found = [tuple(row) for row in session.execute(query.order_by(Instruction.order_seq))]
    assert found == [(int(Kind.EXPIRE), address, 60, new), (int(Kind.TRANSFER), address, 40, new)]


# -------------------------------------------------------------------- who signs


def test_a_merchant_with_its_own_key_is_told_once_what_to_sign(
    chainless: ChainlessNetwork, clock: MovableClock
) -> None:
    chainless.take_key_away(2)
    old, new = chainless.member(), chainless.member()
    chainless.give(old, 100)
    chainless.give(old, 40, program=2)
    merged = merge(chainless, old, new)
    for _ in range(3):
        go_round(chainless)
    assert transfers(chainless) == [(f"merge:{merged}:1:1", 100)]
    due = {"merge": merged, "member": old, "into": new, "points": 40, "reference": f"merge:{merged}:2:1"}
    assert events(chainless, "member.merge_due") == [(2, due)]
    assert state(chainless, merged) is MergeState.MOVING
    clock.move(timedelta(hours=2))
    rounds = MergeRound(chainless.database, chainless.settings, chainless.keyring)
    assert (rounds.run(), rounds.run_late()) == (0, 1), "an old merge is looked at less often"
    with chainless.database.session() as session:
        service = MergeService(session, network=chainless.network)
        found = session.get_one(Merge, merged)
        plans = {number: service.plan(Viewer(number), found).accounts for number in (1, 2)}
    assert [(p.account.program, p.is_managed, p.balance.available) for p in plans[2]] == [(2, False, 40)]
    assert [(p.account.program, p.is_managed) for p in plans[1]] == [(1, True), (2, False)]


def test_a_transfer_that_is_not_due_is_not_signed(chainless: ChainlessNetwork) -> None:
    old, new = chainless.member(), chainless.member()
    chainless.give(old, 100)
    merged = propose(chainless, old, new)
    assert sign(chainless, merged, f"merge:{merged}:1:1", 100) == "merge_changed", "it is not confirmed"
    confirm(chainless, merged)
    assert sign(chainless, merged, f"merge:{merged}:1:2", 100) == "merge_changed"
    assert sign(chainless, merged, f"merge:{merged}:1:1", 101) == "insufficient_points"
    assert sign(chainless, merged, f"merge:{merged}:1:1", 100) == ""
    assert sign(chainless, merged, f"merge:{merged}:1:1", 100) == "merge_changed"
    assert len(transfers(chainless)) == 1


def sign(network: ChainlessNetwork, merged: str, reference: str, points: int) -> str:
    """The code of the refusal; empty for none."""
    options = {"network": network.network, "keyring": network.keyring, "settings": network.settings}
    try:
        with network.database.session.begin() as session:
            MergeService(session, network=network.network).sign(
                session.get_one(Merchant, 1),
                merged,
                program="FUEL",
                points=points,
                reference=reference,
                ref=None,
                orders=OrderService(session, **options),  # type: ignore[arg-type]
                authorization=None,
                actor="test",
            )
    except ClearingError as error:
        return error.code
    return ""


# -------------------------------------------------------------------- what forbids a merge


def test_a_merge_is_refused_while_holds_are_open(chainless: ChainlessNetwork) -> None:
    old, new = chainless.member(), chainless.member()
    chainless.give(old, 100)
    held = hold(chainless, old, 10)
    with pytest.raises(Conflict) as refusal:
        propose(chainless, old, new)
    assert refusal.value.code == "holds_open"
    release(chainless, held)
    merged = propose(chainless, old, new)
    held = hold(chainless, old, 10)
    with pytest.raises(Conflict) as refusal:
        confirm(chainless, merged)
    assert refusal.value.code == "holds_open"
    let_pass(chainless, held)
    confirm(chainless, merged)
    with pytest.raises(Refused) as short:
        hold(chainless, old, 10)
    assert short.value.code == "insufficient_points", "it is the new member's account by now"


def test_only_a_merchant_that_registered_both_may_merge_them(chainless: ChainlessNetwork) -> None:
    old, new = chainless.member(), chainless.member()
    with chainless.database.session.begin() as session:
        links = update(MemberLink).where(MemberLink.merchant_number == 2, MemberLink.member_id == old)
        session.execute(links.values(origin=LinkOrigin.CLAIMED))
    with pytest.raises(Forbidden) as refusal:
        propose(chainless, old, new, merchant=2)
    assert refusal.value.code == "member_only_claimed"
    merged = propose(chainless, old, new)
    with pytest.raises(NotFound):
        confirm(chainless, merged, merchant=2)


def test_a_frozen_member_is_not_merged(chainless: ChainlessNetwork) -> None:
    old, new = chainless.member(), chainless.member()
    merged = propose(chainless, old, new)
    with chainless.database.session.begin() as session:
        FreezeService(session).freeze(Viewer(2), new, "fraud", "test")
    with pytest.raises(Refused) as refusal:
        confirm(chainless, merged)
    assert refusal.value.code == "member_frozen"


def test_a_proposal_is_cancelled_and_a_merge_is_not(chainless: ChainlessNetwork) -> None:
    old, new = chainless.member(), chainless.member()
    first = propose(chainless, old, new)
    with chainless.database.session.begin() as session:
        service = MergeService(session, network=chainless.network)
        service.cancel(session.get_one(Merchant, 1), first, "test")
        service.cancel(session.get_one(Merchant, 1), first, "test")
    with pytest.raises(Conflict, match="the merge is cancelled"):
        confirm(chainless, first)
    second = merge(chainless, old, new)
    assert confirm(chainless, second) == second
    with chainless.database.session.begin() as session, pytest.raises(Conflict, match="cannot be undone"):
        MergeService(session, network=chainless.network).cancel(session.get_one(Merchant, 1), second, "test")


# -------------------------------------------------------------------- races


def test_an_order_that_was_under_way_to_a_merged_member_takes_nothing(chainless: ChainlessNetwork) -> None:
    """It has looked the member up before the merge, and takes the points after it."""
    old, new = chainless.member(), chainless.member()
    chainless.give(old, 100)
    address, _ = chainless.account(old)
    merge(chainless, old, new)
    stale = {(1, old): KnownMember(old, address)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemberRepository, "resolve_all", lambda *_: stale)
        with pytest.raises(Unavailable) as refusal:
            chainless.redeem(old, 100, "FUEL")
    assert refusal.value.code == "member_merged"
    with pytest.raises(Refused) as short:
        chainless.redeem(old, 100, "FUEL")
    assert short.value.code == "insufficient_points"


def test_a_merge_against_redemptions_decides_each_point_once(harness: Harness) -> None:
    old, new = harness.member(), harness.member()
    harness.issue(old, 100)
    harness.settle()
    merged = propose(harness, old, new)

    def redeem(name: str) -> str:
        try:
            return harness.accept(1, [RedeemRequest(member=name, points=10, program="FUEL")])
        except Unavailable as error:
            assert error.code == "member_merged"  # noqa: PT017
            raise Refused(error.detail) from error

    outcomes = at_once([lambda: redeem(old)] * 8 + [lambda: confirm(harness, merged)] + [lambda: redeem(new)] * 8)
    taken = [outcome for outcome in outcomes if outcome is not None and outcome.startswith("ord_")]
    finish(harness)
    assert all(harness.order(order).state is OrderState.SETTLED for order in taken)
    assert state(harness, merged) is MergeState.DONE
    assert posted(harness, harness.account(old)[0]) == {}
    assert harness.available(new) == 100 - 10 * len(taken)
    harness.check()


def test_a_merge_against_holds_decides_once(chainless: ChainlessNetwork) -> None:
    for _ in range(5):
        old, new = chainless.member(), chainless.member()
        chainless.give(old, 100)
        merged = propose(chainless, old, new)

        def hold_it(member: str = old) -> str:
            try:
                return hold(chainless, member, 100)
            except Unavailable as error:
                raise Refused(error.detail) from error

        def merge_it(merge_id: str = merged) -> str:
            try:
                return confirm(chainless, merge_id)
            except Conflict as error:
                raise Refused(error.detail) from error

        outcomes = at_once([hold_it, merge_it])
        (won,) = [outcome for outcome in outcomes if outcome is not None]
        if won.startswith("hld_"):
            assert state(chainless, merged) is MergeState.PROPOSED
            capture(chainless, won, 100)
        else:
            go_round(chainless)
            assert transfers(chainless)[-1] == (f"merge:{merged}:1:1", 100)


class _Crash(Exception):
    pass


class _CrashingRound(MergeRound):
    """Stops before one of its transactions."""

    left = 0

    def _take_stock(self, session, merge_id):  # type: ignore[no-untyped-def]
        self._count()
        return super()._take_stock(session, merge_id)

    def _move(self, session, merge_id, merchant_number):  # type: ignore[no-untyped-def]
        self._count()
        super()._move(session, merge_id, merchant_number)

    def _count(self) -> None:
        if self.left == 0:
            raise _Crash
        self.left -= 1
