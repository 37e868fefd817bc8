"""The sure estimate of a batch's gas is sure: given as the gas limit, it is enough for the dearest orders that anybody can make.

Real anvil. A limit, and not the gas that a receipt tells: what the chain gives back at the end had to be there before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice

import pytest

from clearing.ordering.orders import limits
from clearing.ordering.orders.limits import NOTHING_KNOWN, GasMeter, Load, Savings
from scripts.bench.bare_chain import BareChain, member, reference
from scripts.dev.services import anvil
from tongdui.audit.chain import layout
from tongdui.encoding import bytes_of, hex_of, text_word, word
from tongdui.orders import Instruction, Kind, SignedOrder, execute_calldata, touches_of
from tongdui.receipts import Entry, Evidence, merkle_proofs

PROGRAMS = 9
"""On three pages of balances: 1 to 4, 5 to 8, and 9."""
MANY = 60
LINK = b"\xff" * 32
BATCH = 15_000_000
_fresh = count(1)


class Chain:
    """Nine merchants with a program and points each, and batches with exactly as much gas as the estimate says."""

    def __init__(self, rpc_url: str) -> None:
        self.bare = BareChain(rpc_url, PROGRAMS)
        self.programs = PROGRAMS
        changes = {"kind": 2, "lifetime_days": 0, "target_program": 0, "rate_num": 1, "rate_den": 1}
        self.acceptances = [self.bare.agree(1, target, **changes) for target in range(2, PROGRAMS + 1)]
        self.members = [newcomer() for _ in range(72)]
        self.evidence: dict[bytes, Evidence] = {}
        for program in range(1, PROGRAMS + 1):
            self.execute([self.bare.order(program, [issue(one, program, 10**6) for one in self.members])])

    def execute(self, orders: Sequence[SignedOrder], saved: Savings = NOTHING_KNOWN) -> int:
        """Executes a batch of which so much is known; how many of its instructions were accepted. Fails if it runs out of gas."""
        meter = GasMeter()
        for signed in orders:
            meter.add(load_of(signed), saved)
            saved = NOTHING_KNOWN
        assert meter.gas <= BATCH, "the network would not make such a batch"
        data = execute_calldata(orders, lambda instruction: self.evidence[instruction.link])
        receipt = self.bare.wait(self.bare.send(self.bare.signed(data, gas=meter.gas)))
        entries = [
            Entry.from_log("0x" + log["topics"][1][-40:], bytes_of(log["data"]), *map(bytes_of, log["topics"][2:]))
            for log in receipt["logs"][:-1]  # the last one closes the batch
            if len(log["data"]) == 2 + 2 * 96  # an entry; refusals are shorter
        ]
        leaves = [entry.leaf() for entry in entries]
        for entry, leaf, proof in zip(entries, leaves, merkle_proofs(leaves, range(len(leaves))), strict=True):
            self.evidence[leaf] = Evidence(entry, proof)
        self.leaves = leaves
        return len(leaves)

    def program_under_cap(self, points: int) -> int:
        """A further program of the first merchant, which issues at most so many points in a day."""
        self.programs += 1
        name = hex_of(text_word(f"P{self.programs}"))
        self.bare.do("registerProgram", self.programs, 1, name, name)
        self.bare.do("setIssuanceCap", self.programs, points)
        return self.programs

    def exchange(self, number: int, source: int, target: int, points: int = 10) -> Instruction:
        """An exchange of the n-th member's points."""
        return move(Kind.EXCHANGE, self.members[number], source, points, agreement=self.bare.agreements[source, target])


def load_of(signed: SignedOrder) -> Load:
    order = signed.order
    return Load(order.merchant, order.nonce, touches_of(signed.calldata()), order.atomic)


def newcomer() -> str:
    return member(next(_fresh))


def move(kind: Kind, who: str, program: int, points: int = 1, *, link: bytes = LINK, agreement: int = 0) -> Instruction:
    """An instruction with a link and without a zero byte that would make it cheaper."""
    return Instruction(
        kind, who, points, program, agreement=agreement, min_out=0, link=link, ref=reference(next(_fresh))
    )


def issue(who: str, program: int = 1, points: int = 1) -> Instruction:
    return move(Kind.ISSUE, who, program, points)


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with anvil(arguments=["--code-size-limit", "60000"]) as node:
        found = Chain(node.url)
        yield found
        found.bare.close()


# -------------------------------------------------------------------- each kind, in one order


def test_issues_to_members_without_points(chain: Chain) -> None:
    assert chain.execute([chain.bare.order(1, [issue(newcomer()) for _ in range(MANY)])]) == MANY


def test_issues_to_members_with_points(chain: Chain) -> None:
    order = chain.bare.order(1, [issue(one) for one in chain.members])
    assert chain.execute([order], Savings(full=len(chain.members))) == len(chain.members)


@pytest.mark.parametrize("points", [1, 2**41], ids=["within it", "over it"])
def test_issues_of_programs_with_a_cap(chain: Chain, points: int) -> None:
    """Each cap has a word of its own, so the dearest issues are those of many programs. Any issue may be of such a program."""
    programs = [chain.program_under_cap(2**40) for _ in range(MANY)]
    order = chain.bare.order(1, [issue(newcomer(), one, points) for one in programs])
    assert chain.execute([order]) == (MANY if points == 1 else 0)
    rest = chain.bare.order(1, [issue(newcomer(), programs[0]) for _ in range(MANY)])
    assert chain.execute([rest]) == MANY


@pytest.mark.parametrize("kind", [Kind.REDEEM, Kind.EXPIRE])
def test_points_that_end(chain: Chain, kind: Kind) -> None:
    assert chain.execute([chain.bare.order(4, [move(kind, one, 4) for one in chain.members])]) == len(chain.members)


def test_transfers_to_members_without_points(chain: Chain) -> None:
    given = [move(Kind.TRANSFER, one, 1, link=bytes(12) + bytes_of(newcomer())) for one in chain.members]
    assert chain.execute([chain.bare.order(1, given)]) == len(given)


@pytest.mark.parametrize(("target", "saved"), [(5, 0), (2, MANY)], ids=["into an empty page", "within a page"])
def test_exchanges(chain: Chain, target: int, saved: int) -> None:
    members = [newcomer() for _ in range(MANY)]
    chain.execute([chain.bare.order(1, [issue(one, 1, 1_000) for one in members])])
    agreement = chain.bare.agreements[1, target]
    order = chain.bare.order(1, [move(Kind.EXCHANGE, one, 1, 10, agreement=agreement) for one in members])
    assert chain.execute([order], Savings(full=saved, shared=saved)) == MANY


def test_spends(chain: Chain) -> None:
    spent = [move(Kind.SPEND, one, 1, agreement=chain.acceptances[0]) for one in chain.members]
    assert chain.execute([chain.bare.order(1, spent)]) == len(spent)


def test_reversals_into_emptied_pages_under_many_agreements(chain: Chain) -> None:
    pairs = [(source, target) for source in range(1, 5) for target in range(5, 9)]
    members = [newcomer() for _ in pairs]
    chain.execute(
        [chain.bare.order(source, [issue(one, source, 10)]) for one, (source, _) in zip(members, pairs, strict=True)]
    )
    chain.execute(
        [
            chain.bare.order(
                target, [move(Kind.EXCHANGE, one, source, 10, agreement=chain.bare.agreements[source, target])]
            )
            for one, (source, target) in zip(members, pairs, strict=True)
        ]
    )
    reversals = [
        chain.bare.order(target, [move(Kind.REVERSE, one, source, 10, link=leaf)], nonces=256)
        for one, (source, target), leaf in zip(members, pairs, chain.leaves, strict=True)
    ]
    assert chain.execute(reversals) == len(pairs)


def test_a_reversals_price_covers_a_proof_of_sixteen_hashes() -> None:
    """No test makes a batch of 65,535 entries; of each further hash the price is known."""
    calldata, hashed = 16 * 32, 250
    shown = 6  # in `test_reversals_into_emptied_pages_under_many_agreements`
    assert limits._INSTRUCTION_GAS[Kind.REVERSE] >= 55_000 + (16 - shown) * (calldata + hashed)


# -------------------------------------------------------------------- orders that have nothing in common


def test_single_orders_with_sparse_nonces(chain: Chain) -> None:
    assert chain.execute([chain.bare.order(1, [issue(newcomer())], nonces=256) for _ in range(MANY)]) == MANY


def test_sparse_nonces_of_merchants_that_take_turns(chain: Chain) -> None:
    turns = [1 + number % PROGRAMS for number in range(MANY)]
    orders = [chain.bare.order(one, [issue(newcomer(), one)], nonces=256) for one in turns]
    assert chain.execute(orders) == MANY


def test_nonces_whose_words_lie_in_one_bucket(chain: Chain) -> None:
    """Who may choose nonces may choose those that the contract has to look for longest."""
    bucket = limits._bucket_of(2, 0)
    chosen = islice((number for number in count(1) if limits._bucket_of(1, number) == bucket), MANY)
    orders = []
    for bitmap in chosen:
        chain.bare.next_nonces[1] = bitmap << 8
        orders.append(chain.bare.order(1, [issue(chain.members[0])]))
    chain.bare.next_nonces[1] += 1
    honest = [chain.bare.order(2, [issue(chain.members[0], 2)]) for _ in range(MANY)]
    assert chain.execute([*orders, *honest]) == 2 * MANY


def test_every_agreement_in_an_order_of_its_own(chain: Chain) -> None:
    orders = [
        chain.bare.order(source, [chain.exchange(number, source, target)], nonces=256)
        for number, (source, target) in enumerate(chain.bare.agreements)
    ]
    assert chain.execute(orders) == len(orders)


def test_every_kind_in_turn(chain: Chain) -> None:
    """What an order has read, another kind may use, but nothing that it has not."""
    orders = []
    for number, one in enumerate(chain.members[:40]):
        merchant = 1 + number % PROGRAMS
        kinds = (Kind.REDEEM, Kind.EXPIRE, Kind.ISSUE)
        orders.append(chain.bare.order(merchant, [move(kind, one, merchant) for kind in kinds]))
    assert chain.execute(orders) == 120


# -------------------------------------------------------------------- orders that are undone, or refused


def test_atomic_orders_that_use_up_everything_and_fail(chain: Chain) -> None:
    """What a frame has read for the first time, the next one reads for the first time again."""
    orders = [
        chain.bare.order(
            1,
            [
                issue(newcomer()),
                *(chain.exchange(number, 1, target) for target in range(2, PROGRAMS + 1)),
                move(Kind.REDEEM, chain.members[number], 1, 2**60),
            ],
            atomic=True,
            nonces=256,
        )
        for number in range(15)
    ]
    assert chain.execute(orders) == 0


def test_atomic_orders_between_others(chain: Chain) -> None:
    """Before each, all copies are stored; after it they are made again."""
    orders = [
        chain.bare.order(1 + number % PROGRAMS, [issue(newcomer(), 1 + number % PROGRAMS)], atomic=number % 2 == 0)
        for number in range(MANY)
    ]
    assert chain.execute(orders) == MANY


def test_a_large_atomic_order(chain: Chain) -> None:
    """A frame gets a part in 64 less than there is."""
    size = 400
    assert chain.execute([chain.bare.order(1, [issue(newcomer()) for _ in range(size)], atomic=True)]) == size


def test_atomic_orders_that_hand_on_the_proofs_of_others(chain: Chain) -> None:
    issued = [issue(one, 3) for one in chain.members]
    chain.execute([chain.bare.order(3, issued)])
    reversals = [move(Kind.REVERSE, one, 3, link=leaf) for one, leaf in zip(chain.members, chain.leaves, strict=True)]
    atomic = [chain.bare.order(2, [issue(chain.members[0], 2)], atomic=True) for _ in range(MANY)]
    assert chain.execute([chain.bare.order(3, reversals), *atomic]) == len(reversals) + MANY


@pytest.mark.parametrize("nonces", [0, 1], ids=["used nonces", "too few points"])
def test_refused_orders(chain: Chain, nonces: int) -> None:
    orders = [chain.bare.order(1, [move(Kind.REDEEM, one, 1, 2**60)], nonces=nonces) for one in chain.members]
    chain.bare.next_nonces[1] += 1
    assert chain.execute(orders) == 0


# -------------------------------------------------------------------- what the estimate knows of the contract


def test_the_buckets_of_nonces_are_the_contracts() -> None:
    assert limits._NONCES == layout.NONCES
    assert limits._bucket_of(5, 7) == layout.mapped(layout.NONCES, word(5 << 40 | 7)) % 61


def test_honest_orders_stay_cheap() -> None:
    """Surety is not bought by batches that are half empty."""
    meter = GasMeter()
    for nonce in range(500):
        meter.add(Load(1, nonce, touches_of(_EXCHANGE)), Savings(full=1, shared=1))
    assert meter.gas < 500 * 26_000


_EXCHANGE = bytes(82) + bytes([0, Kind.EXCHANGE]) + bytes(82)
