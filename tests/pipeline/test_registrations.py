"""A registration that the contract refuses does not hold up those behind it, though their numbers must have no gap."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from clearing.chain.calls.models import Call, CallState
from clearing.chain.calls.service import request_call
from clearing.chain.contract import PAUSER
from clearing.kit.errors import Refused
from clearing.kit.ids import new_id
from clearing.ordering.orders.models import OrderState
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.agreements.repository import AgreementUseRepository
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.pipeline.privileged_calls import CallSigner
from scripts.dev.services import Anvil
from tests.pipeline.test_lock_order import mine_together, send_all
from tests.support.harness import Harness
from tongdui.encoding import hex_of, text_word


@pytest.mark.parametrize("behind_another", [False, True], ids=["tried out", "reverted in a block"])
def test_a_merchant_whose_key_is_taken_leaves_no_gap(harness: Harness, behind_another: bool) -> None:
    with harness.database.session.begin() as session:
        taken = session.scalars(select(SignerKey.address).where(SignerKey.merchant_number == 1)).one()
        if behind_another:
            request_call(session, "operator", "setCreditLimit", [1, 5], "")
    _register_merchant(harness, 3, "late", taken)
    _register_merchant(harness, 4, "good", "0x" + "44" * 20)
    with harness.database.session.begin() as session:
        session.add(Program(number=3, id=new_id("prg"), merchant_number=4, code="GOOD", name="Good"))
        request_call(session, "operator", "registerProgram", [3, 4, hex_of(text_word("GOOD")), hex_of(bytes(32))], "")
    harness.settle()
    with harness.database.reading() as session:
        statuses = {row.number: row.status for row in session.scalars(select(Merchant)) if row.number > 2}
        assert statuses == {3: MerchantStatus.CLOSED, 4: MerchantStatus.ACTIVE}
        assert session.get_one(Program, 3).status is ProgramStatus.ACTIVE
        assert session.get_one(SignerKey, taken).merchant_number == 1
        assert {call.state for call in session.scalars(select(Call))} == {CallState.DONE}
    assert harness.call("merchantCount") == 5
    harness.check()


def test_agreements_behind_a_refused_one_move_up(harness: Harness) -> None:
    bad = harness.agree(2, signed_by=(1, 1))
    good = [harness.agree(number) for number in (3, 4)]
    harness.settle()
    with harness.database.reading() as session:
        refused = session.get_one(Agreement, bad)
        assert (refused.state, refused.number) == (AgreementState.FAILED, None)
        found = [session.get_one(Agreement, agreement) for agreement in good]
        assert [(agreement.state, agreement.number) for agreement in found] == [
            (AgreementState.ACTIVE, 2),
            (AgreementState.ACTIVE, 3),
        ]
        errors = [call.error for call in session.scalars(select(Call)) if call.state is CallState.FAILED]
        assert len(errors) == 1
        assert errors[0] is not None
        assert errors[0].startswith("BadSignature")
    assert harness.call("agreementCount") == 3
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    harness.exchange(member, 50)
    harness.settle()
    harness.check()


def test_the_daily_cap_is_checked_when_an_order_is_accepted(lone_harness: Harness, own_chain: Anvil) -> None:
    """It counts what pending orders may use, survives a reorganisation, and passes to a successor with its predecessor's use."""
    harness = lone_harness
    member = harness.member()
    harness.issue(member, 1_000)
    harness.agree(2, max_points=100, daily_cap=150)
    harness.settle()
    before = harness.client.head()
    harness.exchange(member, 100)
    with pytest.raises(Refused) as refusal:
        harness.exchange(member, 60)
    assert (refusal.value.code, refusal.value.errors[0].pointer) == ("over_daily_cap", "/points")
    harness.settle()
    harness.exchange(member, 41)  # buys 36 CINE, which take 40 points
    harness.settle()
    assert harness.call("usedToday", 2) == _used(harness, 2) == 140
    own_chain.reorganise(harness.client.head() - before)
    harness.settle()
    assert harness.call("usedToday", 2) == _used(harness, 2) == 140
    with pytest.raises(Refused, match="10 points are left"):
        harness.exchange(member, 12)

    before = harness.client.head()
    harness.agree(3, max_points=100, daily_cap=200, supersedes=2)
    harness.settle()
    assert harness.call("usedToday", 3) == _used(harness, 3) == 140
    own_chain.reorganise(harness.client.head() - before)
    harness.settle()
    assert harness.call("usedToday", 3) == _used(harness, 3) == 140
    with pytest.raises(Refused, match="60 points are left"):
        harness.exchange(member, 70)
    last = harness.exchange(member, 60)
    harness.settle()
    assert harness.order(last).state is OrderState.SETTLED
    harness.check()


def test_what_a_block_has_registered_and_changed_again_is_taken_back_as_before_it(
    lone_harness: Harness, own_chain: Anvil
) -> None:
    """Each table's events are undone newest first: an older undo would put back what a later one has taken away."""
    harness = lone_harness
    _register_merchant(harness, 3, "new", "0x" + "33" * 20)
    # One key for all of them keeps their order within the block.
    harness.send("admin", "setRole", PAUSER, harness.keys.address("operator"), True)
    suspended = 2
    with harness.database.session.begin() as session:
        session.add(Program(number=3, id=new_id("prg"), merchant_number=3, code="NEW", name="New"))
        request_call(session, "operator", "registerProgram", [3, 3, hex_of(text_word("NEW")), hex_of(bytes(32))], "")
        request_call(session, "operator", "setProgramPaused", [3, True], "")
        request_call(session, "operator", "setMerchantStatus", [3, suspended], "")
    agreements = [harness.agree(2), harness.agree(3, supersedes=2)]

    def states() -> list[str]:
        with harness.database.reading() as session:
            parties = (session.get_one(Merchant, 3).status, session.get_one(Program, 3).status)
            return [*parties, *(session.get_one(Agreement, agreement).state for agreement in agreements)]

    mine_together(harness, lambda: send_all(harness))
    harness.projector.step()
    assert states() == ["suspended", "paused", "superseded", "active"]
    own_chain.reorganise(1)
    harness.projector.step()  # takes the block back, and reads no other yet
    assert states() == ["pending", "pending", "accepted", "accepted"]
    harness.settle()
    assert states() == ["suspended", "paused", "superseded", "active"]
    harness.check()


def test_what_an_agreement_has_used_may_be_as_large_as_its_cap(harness: Harness) -> None:
    with harness.database.session.begin() as session:
        uses = AgreementUseRepository(session)
        for day in (harness.today(), AgreementUseRepository.RESERVED):
            uses.add(1, day, 2**64 - 2)
            uses.add(1, day, 1)
    assert _used(harness, 1) == 2 * (2**64 - 1)


def _used(harness: Harness, agreement: int) -> int:
    with harness.database.reading() as session:
        return AgreementUseRepository(session).burnt_or_reserved(agreement, harness.today())


def _register_merchant(harness: Harness, number: int, name: str, key: str) -> None:
    with harness.database.session.begin() as session:
        session.add(Merchant(number=number, id=new_id("mer"), name=name))
        session.flush()
        request_call(session, "operator", "registerMerchant", [number, hex_of(text_word(name)), key, 0], "")


def test_a_call_that_nobody_signs_waits_and_nothing_waits_for_it(harness: Harness) -> None:
    everybody = harness.signer
    harness.signer = CallSigner(harness.database, harness.client, harness.settings, harness.keys, ["operator"])
    with harness.database.session.begin() as session:
        for number in range(30):  # more than a step takes
            bank = hex_of(text_word(f"late {number}"))
            request_call(session, "treasury", "deposit", [1, 1_000_000, bank], "")
        request_call(session, "operator", "setCreditLimit", [1, 5], "")
    order = harness.issue(harness.member(), 10)
    position = harness.position(1)
    harness.settle()  # no step fails: a daemon would pause after it
    assert harness.order(order).state is OrderState.SETTLED
    with harness.database.reading() as session:
        states = [(call.role, call.state) for call in session.scalars(select(Call).order_by(Call.id.desc()).limit(31))]
    assert states == [("operator", CallState.DONE), *[("treasury", CallState.PENDING)] * 30]
    harness.signer = everybody
    harness.settle()
    assert harness.position(1) == position + 30_000_000
    harness.check()
