"""A tour of every reason for a refusal, one short story each: the contract and the model both give exactly this one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from scripts.dev.services import Anvil
from tests.contracts.network import (
    AGREEMENTS,
    CARWASH,
    CINEMA,
    DAY,
    FUEL,
    MARKET,
    MEMBERS,
    address,
    endow,
    found_network,
    private_key,
    sign_order,
    sign_terms,
)
from tests.contracts.twins import Twins
from tongdui.audit.model.clearing_house import FOREVER
from tongdui.audit.model.records import Status
from tongdui.encoding import ZERO_WORD, address_word, text_word
from tongdui.orders import (
    UINT64_MAX,
    ZERO_ADDRESS,
    Instruction,
    Kind,
    Order,
    Reason,
    SignedOrder,
    full_signature,
    sign_digest,
    termination_digest,
)
from tongdui.receipts import Entry, Evidence

MEMBER, OTHER = MEMBERS[:2]
POINTS = 4_000  # what MEMBER has of each program


class Stage:
    """The network with points in it, and few words for what happens there."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins
        self.nonce = 0
        self.evidence: dict[bytes, Evidence] = {}

    def order(self, merchant: int, *items: Instruction, atomic: bool = False, **more: int) -> Order:
        self.nonce += 1
        usual = Order(merchant, self.nonce, self.twins.now + 60, items, atomic)
        return replace(usual, **cast("dict[str, Any]", more))

    def send(self, order: Order, key: bytes | None = None) -> list[Reason]:
        """Executes an order in a batch of its own; the reasons given, the order's own last."""
        return self.send_signed(sign_order(self.twins, order, key or private_key(order.merchant, 0)))

    def send_signed(self, signed: SignedOrder) -> list[Reason]:
        find = (lambda i: self.evidence[i.link]) if self.evidence else None
        events = self.twins.execute([signed], find)
        return [values[3] for event, values in events if event in ("InstructionRejected", "OrderRejected")]

    def do(self, merchant: int, *items: Instruction) -> list[Reason]:
        return self.send(self.order(merchant, *items))

    def post(self, merchant: int, item: Instruction) -> Entry:
        """Executes something that goes well and returns its entry, with its evidence at hand."""
        assert self.do(merchant, item) == []
        entry = self.twins.entries()[-1]
        self.evidence[entry.leaf()] = self.twins.evidence(entry)
        return entry

    def status(self, merchant: int, status: Status) -> None:
        self.twins.call(self.twins.operator, "set_merchant_status", merchant, status)

    def cap(self, points: int) -> None:
        assert self.twins.call(self.twins.operator, "set_issuance_cap", 1, points) is None

    def pause(self, program: int) -> None:
        self.twins.call(self.twins.pauser, "set_program_paused", program, True)


def issue(points: int = 10, program: int = 1, **more: Any) -> Instruction:
    return Instruction(Kind.ISSUE, MEMBER, points, program, **more)


def redeem(points: int = 10, program: int = 1) -> Instruction:
    return Instruction(Kind.REDEEM, MEMBER, points, program)


def exchange(points: int = 100, agreement: int = 1, program: int = 1, **more: Any) -> Instruction:
    return Instruction(Kind.EXCHANGE, MEMBER, points, program, agreement=agreement, **more)


def spend(points: int = 100, agreement: int = 7, program: int = 1) -> Instruction:
    return Instruction(Kind.SPEND, MEMBER, points, program, agreement=agreement)


def transfer(recipient: bytes, points: int = 10) -> Instruction:
    return Instruction(Kind.TRANSFER, MEMBER, points, 1, link=recipient)


def reverse(entry: Entry, points: int = 10) -> Instruction:
    return Instruction(Kind.REVERSE, entry.member, points, entry.program, link=entry.leaf())


Story = Callable[[Stage], Sequence[Reason]]
STORIES: dict[str, tuple[Reason, Story]] = {}


def story(reason: Reason) -> Callable[[Story], Story]:
    """Adds a story that ends with `reason`."""

    def add(told: Story) -> Story:
        STORIES[told.__name__] = (reason, told)
        return told

    return add


# -------------------------------------------------------------------- orders


@story(Reason.UNKNOWN_SIGNER)
def signed_by_another_merchant(s: Stage) -> Sequence[Reason]:
    return s.send(s.order(FUEL, issue()), private_key(CINEMA, 0))


@story(Reason.UNKNOWN_SIGNER)
def signed_by_nobody(s: Stage) -> Sequence[Reason]:
    return s.send_signed(SignedOrder(s.order(FUEL, issue()), bytes(64)))


@story(Reason.UNKNOWN_SIGNER)
def signed_for_the_operator_who_has_no_key(s: Stage) -> Sequence[Reason]:
    return s.send_signed(SignedOrder(s.order(0, issue()), bytes(64)))


@story(Reason.UNKNOWN_SIGNER)
def signed_with_a_revoked_key(s: Stage) -> Sequence[Reason]:
    s.twins.call(s.twins.operator, "revoke_signer", address(FUEL), s.twins.now)
    return s.do(FUEL, issue())


@story(Reason.DEADLINE_PASSED)
def a_second_too_late(s: Stage) -> Sequence[Reason]:
    return s.send(s.order(FUEL, issue(), deadline=s.twins.now))


@story(Reason.NONE)
def in_the_last_second(s: Stage) -> Sequence[Reason]:
    return s.send(s.order(FUEL, issue(), deadline=s.twins.now + 1))


@story(Reason.NONCE_USED)
def the_same_order_twice(s: Stage) -> Sequence[Reason]:
    order = s.order(FUEL, issue())
    assert s.send(order) == []
    return s.send(order)


@story(Reason.MERCHANT_CLOSED)
def a_closed_merchant(s: Stage) -> Sequence[Reason]:
    s.status(FUEL, Status.CLOSED)
    return s.do(FUEL, redeem())


@story(Reason.EMPTY_ORDER)
def an_order_of_nothing(s: Stage) -> Sequence[Reason]:
    order = s.order(FUEL)
    reasons = s.send(order)
    assert not s.twins.chain.view("nonceUsed", FUEL, order.nonce)
    return reasons


@story(Reason.EMPTY_ORDER)
def an_atomic_order_of_nothing(s: Stage) -> Sequence[Reason]:
    return s.send(s.order(FUEL, atomic=True))


@story(Reason.ATOMIC_FAILED)
def one_of_an_atomic_order_fails(s: Stage) -> Sequence[Reason]:
    reasons = s.send(s.order(FUEL, issue(), redeem(UINT64_MAX), atomic=True))
    assert reasons[0] == Reason.INSUFFICIENT_POINTS
    return reasons[1:]


# -------------------------------------------------------------------- any instruction


@story(Reason.UNKNOWN_KIND)
def a_kind_from_the_future(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, replace(issue(), kind=cast("Kind", 8)))


@story(Reason.UNKNOWN_KIND)
def no_kind(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, replace(issue(), kind=cast("Kind", 0)))


@story(Reason.MERCHANT_SUSPENDED)
def a_suspended_merchant_issues(s: Stage) -> Sequence[Reason]:
    s.status(FUEL, Status.SUSPENDED)
    return s.do(FUEL, issue())


@story(Reason.MERCHANT_SUSPENDED)
def a_suspended_merchant_exchanges(s: Stage) -> Sequence[Reason]:
    s.status(FUEL, Status.SUSPENDED)
    return s.do(FUEL, exchange())


@story(Reason.NONE)
def a_suspended_merchant_winds_down(s: Stage) -> Sequence[Reason]:
    entry = s.post(FUEL, issue())
    s.status(FUEL, Status.SUSPENDED)
    return s.do(FUEL, redeem(), replace(redeem(), kind=Kind.EXPIRE), reverse(entry))


@story(Reason.ZERO_POINTS)
def no_points(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, issue(0))


@story(Reason.ZERO_MEMBER)
def no_member(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, replace(issue(), member=ZERO_ADDRESS))


@story(Reason.NOT_PROGRAM_MERCHANT)
def somebody_elses_program(s: Stage) -> Sequence[Reason]:
    return s.do(CINEMA, issue())


@story(Reason.NOT_PROGRAM_MERCHANT)
def a_program_that_does_not_exist(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, issue(program=7))


@story(Reason.PROGRAM_PAUSED)
def a_paused_program(s: Stage) -> Sequence[Reason]:
    s.pause(1)
    return s.do(FUEL, redeem())


@story(Reason.PROGRAM_PAUSED)
def a_paused_target_program(s: Stage) -> Sequence[Reason]:
    s.pause(2)
    return s.do(FUEL, exchange())


@story(Reason.INSUFFICIENT_POINTS)
def more_than_there_is(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, redeem(POINTS + 1))


@story(Reason.INSUFFICIENT_POINTS)
def points_of_the_neighbouring_lanes_do_not_count(s: Stage) -> Sequence[Reason]:
    assert s.do(FUEL, redeem(POINTS)) == []
    return s.do(FUEL, redeem(1))


@story(Reason.SUPPLY_OVERFLOW)
def more_than_a_program_can_ever_have(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, issue(UINT64_MAX))


@story(Reason.SUPPLY_OVERFLOW)
def an_exchange_into_more_than_a_program_can_have(s: Stage) -> Sequence[Reason]:
    return s.do(MARKET, exchange(2**33, agreement=5, program=5))


@story(Reason.ALREADY_EXPIRED)
def points_that_expire_today(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, issue(expiry_day=s.twins.model.today()))


# -------------------------------------------------------------------- exchange and spend


@story(Reason.OVER_ISSUANCE_CAP)
def one_point_more_than_the_days_cap(s: Stage) -> Sequence[Reason]:
    s.cap(10)
    return s.do(FUEL, issue(9), issue(1), issue(1))


@story(Reason.OVER_ISSUANCE_CAP)
def a_cap_that_is_to_be_lifted(s: Stage) -> Sequence[Reason]:
    s.cap(10)
    s.cap(0)
    return s.do(FUEL, issue(11))


@story(Reason.NONE)
def a_cap_that_was_lifted(s: Stage) -> Sequence[Reason]:
    s.cap(10)
    s.cap(0)
    s.twins.now += 2 * DAY
    return s.do(FUEL, issue(11))


@story(Reason.OVER_ISSUANCE_CAP)
def a_higher_cap_that_was_called_off(s: Stage) -> Sequence[Reason]:
    s.cap(10)
    s.cap(20)
    s.cap(9)
    s.twins.now += 2 * DAY
    return s.do(FUEL, issue(9), issue(1))


@story(Reason.OVER_ISSUANCE_CAP)
def what_was_taken_back_is_not_issued_again_that_day(s: Stage) -> Sequence[Reason]:
    s.cap(10)
    entry = s.post(FUEL, issue(10))
    return s.do(FUEL, reverse(entry, 10), issue(1))


@story(Reason.NONE)
def the_next_day_has_a_cap_of_its_own(s: Stage) -> Sequence[Reason]:
    s.cap(10)
    s.post(FUEL, issue(10))
    s.twins.now += DAY
    return s.do(FUEL, issue(10))


@story(Reason.ATOMIC_FAILED)
def an_atomic_order_over_the_cap_uses_none_of_it(s: Stage) -> Sequence[Reason]:
    s.cap(10)
    atomic = s.order(FUEL, issue(6), issue(6), atomic=True)
    assert s.send(atomic) == [Reason.OVER_ISSUANCE_CAP, Reason.ATOMIC_FAILED]
    assert s.do(FUEL, issue(10)) == []
    return [Reason.ATOMIC_FAILED]


@story(Reason.WRONG_AGREEMENT)
def an_agreement_that_does_not_exist(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, exchange(agreement=99))


@story(Reason.WRONG_AGREEMENT)
def an_agreement_of_the_other_kind(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, exchange(agreement=7))


@story(Reason.WRONG_AGREEMENT)
def an_agreement_about_another_program(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, exchange(program=4))


@story(Reason.AGREEMENT_NOT_LIVE)
def before_it_begins(s: Stage) -> Sequence[Reason]:
    return s.do(MARKET, spend(agreement=9, program=2))


@story(Reason.AGREEMENT_NOT_LIVE)
def in_the_second_in_which_it_ends(s: Stage) -> Sequence[Reason]:
    s.twins.now = s.twins.model.agreements[1].terms.valid_until - 2
    assert s.do(FUEL, exchange()) == []
    return s.do(FUEL, exchange())


@story(Reason.NOT_INITIATOR)
def a_merchant_that_may_not_start(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, spend())


@story(Reason.COUNTERPARTY_INACTIVE)
def with_a_suspended_merchant(s: Stage) -> Sequence[Reason]:
    s.status(CINEMA, Status.SUSPENDED)
    return s.do(FUEL, exchange())


@story(Reason.OVER_INSTRUCTION_CAP)
def more_than_the_agreement_lets_through_at_once(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, exchange(3_001))


@story(Reason.OVER_DAILY_CAP)
def more_than_the_agreement_lets_through_in_a_day(s: Stage) -> Sequence[Reason]:
    assert s.do(CARWASH, spend(2_000)) == []
    return s.do(CARWASH, spend(1_001))


@story(Reason.NONE)
def as_much_again_on_the_next_day(s: Stage) -> Sequence[Reason]:
    assert s.do(CARWASH, spend(2_000)) == []
    s.twins.now += DAY
    return s.do(CARWASH, spend(1_001))


@story(Reason.OVER_DAILY_CAP)
def a_new_version_does_not_open_the_days_cap_again(s: Stage) -> Sequence[Reason]:
    s.post(FUEL, exchange(3_000))
    terms = replace(AGREEMENTS[0], supersedes=1, rate_num=8)
    number = len(AGREEMENTS) + 1
    assert s.twins.call(s.twins.operator, "register_agreement", number, terms, *sign_terms(s.twins, terms)) is None
    return s.do(FUEL, exchange(2_500, agreement=number))


@story(Reason.BELOW_MINIMUM)
def fewer_than_the_member_wants(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, exchange(100, min_out=91))


@story(Reason.BELOW_MINIMUM)
def less_than_one_target_point(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, exchange(1))


@story(Reason.AMOUNT_TOO_LARGE)
def dearer_than_64_bits_can_say(s: Stage) -> Sequence[Reason]:
    return s.do(CINEMA, exchange(4, agreement=6, program=3))


@story(Reason.INSUFFICIENT_LIQUIDITY)
def a_payer_at_its_limit(s: Stage) -> Sequence[Reason]:
    return s.do(MARKET, spend(100, agreement=8, program=5)) or s.do(CINEMA, spend(1, agreement=8, program=5))


@story(Reason.INSUFFICIENT_LIQUIDITY)
def a_payer_one_micro_short_of_the_fee(s: Stage) -> Sequence[Reason]:
    s.twins.call(s.twins.operator, "set_credit_limit", FUEL, 90 * 10_000 + 899)
    return s.do(FUEL, exchange(100))


@story(Reason.NONE)
def a_payer_with_just_enough(s: Stage) -> Sequence[Reason]:
    s.twins.call(s.twins.operator, "set_credit_limit", FUEL, 90 * 10_000 + 900)
    return s.do(FUEL, exchange(100))


@story(Reason.INSUFFICIENT_LIQUIDITY)
def a_limit_that_one_batch_exhausts_midway(s: Stage) -> Sequence[Reason]:
    s.twins.call(s.twins.operator, "set_credit_limit", FUEL, 900_000)
    return s.do(FUEL, exchange(50), exchange(48), exchange(4), exchange(1 + 1))


@story(Reason.INSUFFICIENT_LIQUIDITY)
def a_refund_by_a_merchant_that_has_spent_what_it_was_paid(s: Stage) -> Sequence[Reason]:
    entry = s.post(CARWASH, spend(1_000))
    assert s.twins.call(s.twins.treasury, "deposit", FUEL, 8_000_000, text_word("deposited")) is None
    assert s.twins.call(s.twins.treasury, "withdraw", CARWASH, 8_000_000, text_word("withdrawn")) is None
    return s.do(CARWASH, reverse(entry, 125), reverse(entry, 1))


# -------------------------------------------------------------------- transfer and reverse


@story(Reason.BAD_RECIPIENT)
def to_nobody(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, transfer(ZERO_WORD))


@story(Reason.BAD_RECIPIENT)
def to_oneself(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, transfer(address_word(MEMBER)))


@story(Reason.BAD_RECIPIENT)
def to_more_than_an_address(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, transfer(b"\x01" + address_word(OTHER)[1:]))


@story(Reason.UNKNOWN_ENTRY)
def without_evidence(s: Stage) -> Sequence[Reason]:
    entry = s.post(FUEL, issue())
    s.evidence.clear()
    return s.do(FUEL, reverse(entry))


@story(Reason.UNKNOWN_ENTRY)
def an_entry_that_never_was(s: Stage) -> Sequence[Reason]:
    entry = s.post(FUEL, issue())
    forged = replace(entry, points=2 * entry.points)
    s.evidence[forged.leaf()] = replace(s.evidence[entry.leaf()], entry=forged)
    return s.do(FUEL, reverse(forged))


@story(Reason.UNKNOWN_ENTRY)
def an_entry_of_a_batch_to_come(s: Stage) -> Sequence[Reason]:
    entry = replace(s.post(FUEL, issue()), batch=len(s.twins.model.roots) + 1)
    s.evidence[entry.leaf()] = Evidence(entry, ())
    return s.do(FUEL, reverse(entry))


@story(Reason.UNKNOWN_ENTRY)
def evidence_for_another_entry(s: Stage) -> Sequence[Reason]:
    first, second = s.post(FUEL, issue()), s.post(FUEL, issue())
    s.evidence[first.leaf()] = s.evidence[second.leaf()]
    return s.do(FUEL, reverse(first))


@story(Reason.UNKNOWN_ENTRY)
def an_entry_of_another_member(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, replace(reverse(s.post(FUEL, issue())), member=OTHER))


@story(Reason.NOT_REVERSIBLE)
def a_reversal_of_a_reversal(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, reverse(s.post(FUEL, reverse(s.post(FUEL, issue())))))


@story(Reason.NOT_GIVER)
def an_exchange_reversed_by_who_paid_for_it(s: Stage) -> Sequence[Reason]:
    return s.do(FUEL, reverse(s.post(FUEL, exchange())))


@story(Reason.NOT_GIVER)
def an_issue_reversed_by_another(s: Stage) -> Sequence[Reason]:
    return s.do(CINEMA, reverse(s.post(FUEL, issue())))


@story(Reason.OVER_REVERSAL)
def more_than_is_left_of_the_original(s: Stage) -> Sequence[Reason]:
    entry = s.post(FUEL, redeem(10))
    return s.do(FUEL, reverse(entry, 6), reverse(entry, 4), reverse(entry, 1))


@pytest.fixture(scope="module")
def endowed(chain: Anvil) -> Iterator[Twins]:
    twins = Twins(chain.url)
    found_network(twins)
    endow(twins, [POINTS] * 6)
    yield twins
    twins.chain.close()


@pytest.fixture
def stage(endowed: Twins) -> Iterator[Stage]:
    snapshot = endowed.snapshot()
    yield Stage(endowed)
    endowed.restore(snapshot)


@pytest.mark.parametrize("name", STORIES)
def test_refused_for_exactly_this_reason(stage: Stage, name: str) -> None:
    reason, told = STORIES[name]

    reasons = told(stage)

    assert list(reasons) == ([reason] if reason else [])
    stage.twins.compare(MEMBERS)
    stage.twins.compare_rebuilt()


def test_signed_terms_are_registered_once_even_after_they_ended(stage: Stage) -> None:
    twins = stage.twins
    terms = AGREEMENTS[0]
    moment = twins.now + 1
    digest = termination_digest(twins.chain.domain, 1, moment)
    signature = full_signature(sign_digest(digest, private_key(CINEMA, 0)))
    assert twins.call(twins.stranger, "terminate_agreement", 1, moment, CINEMA, signature) is None

    refused = twins.call(twins.operator, "register_agreement", 10, terms, *sign_terms(twins, terms))

    assert refused is not None
    assert refused.error == "AlreadyRegistered"


def test_the_tour_visits_every_reason() -> None:
    assert {reason for reason, _ in STORIES.values()} == set(Reason)


def test_every_custom_error_is_expected_by_a_forge_test() -> None:
    contracts = Path(__file__).parents[2] / "contracts"
    errors = re.findall(
        r"^ +error (\w+)\(", (contracts / "interfaces" / "IClearingHouse.sol").read_text(), re.MULTILINE
    )
    tests = "".join(path.read_text() for path in (contracts / "test").glob("*.t.sol"))

    assert len(errors) > 20
    assert [error for error in errors if f"{error}.selector" not in tests] == []


def test_a_key_that_was_revoked_never_becomes_another_merchants(stage: Stage) -> None:
    twins = stage.twins
    for until in (1, 0):
        twins.call(twins.operator, "revoke_signer", address(FUEL), until)

    refused = twins.call(twins.operator, "register_merchant", 5, text_word("thief"), address(FUEL), 0)

    assert refused is not None
    assert refused.error == "KeyTaken"
    assert twins.call(twins.admin, "recover_signer", FUEL, address(FUEL)) is None
    assert twins.model.keys[address(FUEL)].valid_until == FOREVER
