"""A small network on anvil with something in every kind of slot, and the model beside it."""

from __future__ import annotations

from dataclasses import replace

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
from tongdui.audit.model.records import SignerChange, Status
from tongdui.encoding import address_word, keccak256, text_word
from tongdui.orders import Instruction, Kind, Order, SignedOrder, full_signature, sign_digest, signer_change_digest

BANK_REFERENCE = keccak256(b"a transfer at the bank")
MEMBER, OTHER = MEMBERS[:2]


def found(url: str) -> Twins:
    """Founds it, and lets it live for two days."""
    twins = Twins(url)
    found_network(twins)
    endow(twins, [4_000] * 6)
    twins.call(twins.treasury, "deposit", MARKET, 50_000_000, BANK_REFERENCE)
    twins.call(twins.treasury, "withdraw", MARKET, 20_000_000, keccak256(b"another transfer"))
    assert twins.call(twins.operator, "set_issuance_cap", 1, 6_000) is None
    _trade(twins)
    twins.now += DAY
    _trade(twins)
    twins.execute([], None)  # a batch without entries has no root
    _govern(twins)
    return twins


def _trade(twins: Twins) -> None:
    """A batch with each kind of instruction, and one that takes parts of them back."""
    today = twins.model.today()
    fuel = (
        Instruction(Kind.ISSUE, MEMBER, 700, 1, expiry_day=today + 400),
        Instruction(Kind.REDEEM, MEMBER, 60, 1),
        Instruction(Kind.EXPIRE, MEMBER, 50, 1),
        Instruction(Kind.TRANSFER, MEMBER, 40, 1, link=address_word(OTHER)),
        Instruction(Kind.EXCHANGE, MEMBER, 100, 1, agreement=1),
    )
    batch = [_order(twins, FUEL, *fuel), _order(twins, CARWASH, Instruction(Kind.SPEND, MEMBER, 30, 1, agreement=7))]
    twins.execute(batch, None)
    entries = twins.entries()[-6:]
    evidence = {entry.leaf(): twins.evidence(entry) for entry in entries}
    back = [
        _order(twins, giver, *(Instruction(Kind.REVERSE, MEMBER, 10, 1, link=entries[n].leaf()) for n in which))
        for giver, which in ((FUEL, (0, 1, 3)), (CINEMA, (4,)), (CARWASH, (5,)))
    ]
    twins.execute(back, lambda instruction: evidence[instruction.link])
    assert len(twins.entries()[-5:]) == len({entry.leaf() for entry in twins.entries()[-5:]})
    assert all(entry.kind == Kind.REVERSE for entry in twins.entries()[-5:])


def _order(twins: Twins, merchant: int, *items: Instruction) -> SignedOrder:
    nonce = 300 + len(twins.tried)
    return sign_order(twins, Order(merchant, nonce, twins.now + 60, items), private_key(merchant, 0))


def _govern(twins: Twins) -> None:
    """Keys, statuses, pauses, agreements and the owner change."""
    change = SignerChange(FUEL, address(FUEL, 1), twins.now, twins.now + DAY, 77)
    digest = signer_change_digest(twins.chain.domain, *change)
    by, proof = (full_signature(sign_digest(digest, private_key(FUEL, n))) for n in (0, 1))
    assert twins.call(twins.stranger, "change_signer", change, by, proof) is None
    terms = replace(AGREEMENTS[0], supersedes=1, grace_seconds=60, document=keccak256(b"the second version"))
    number = len(AGREEMENTS) + 1
    assert twins.call(twins.operator, "register_agreement", number, terms, *sign_terms(twins, terms)) is None
    for by_whom, name, *arguments in (
        (twins.operator, "set_merchant_status", CARWASH, Status.SUSPENDED),
        (twins.operator, "register_merchant", 5, text_word("洗车"), address(5), 0),
        (twins.pauser, "set_program_paused", 6, True),
        (twins.operator, "set_issuance_cap", 1, 5_000),
        (twins.operator, "set_issuance_cap", 1, 9_000),
        (twins.admin, "set_role", 3, twins.stranger, True),
        (twins.admin, "set_role", 3, twins.stranger, False),
        (twins.admin, "transfer_ownership", twins.stranger),
        (twins.pauser, "pause"),
    ):
        assert twins.call(by_whom, name, *arguments) is None
