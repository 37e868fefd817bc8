"""The network that the tests start from: four merchants, six programs in two pages, nine agreements, five members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.contracts.twins import BEGIN, Twins
from tongdui.audit.model.clearing_house import FOREVER
from tongdui.encoding import keccak256, text_word
from tongdui.orders import (
    AgreementTerms,
    Instruction,
    Kind,
    Order,
    SignedOrder,
    address_of_key,
    full_signature,
    sign_digest,
)

FUEL, CINEMA, MARKET, CARWASH = 1, 2, 3, 4  # merchants; the car wash has no program
MERCHANTS = (FUEL, CINEMA, MARKET, CARWASH)
LIMITS = {FUEL: 60_000_000, CINEMA: 500_000_000, MARKET: 0, CARWASH: 1_000_000}
PROGRAMS = {1: FUEL, 2: CINEMA, 3: CINEMA, 4: FUEL, 5: MARKET, 6: MARKET}  # 5 and 6 are in the second page
MEMBERS = tuple("0x" + keccak256(f"member {n}".encode())[:20].hex() for n in range(5))
ENDOWMENT_NONCE = 2**40  # far from those that the tests count up from 0
DAY = 86_400
YEAR = 365 * DAY


def private_key(merchant: int, number: int) -> bytes:
    """One of the keys that a merchant has in its safe, whether or not the chain knows it."""
    return keccak256(f"merchant {merchant} key {number}".encode())


def address(merchant: int, number: int = 0) -> str:
    """Its address, in lower case as everywhere in these tests."""
    return address_of_key(private_key(merchant, number)).lower()


KEYS = {address(m, n): private_key(m, n) for m in (0, *MERCHANTS) for n in range(3)}


def exchange(source: int, target: int, rate: tuple[int, int], price: int, **more: Any) -> AgreementTerms:
    """Terms for exchanging points of program `source` into points of program `target`."""
    usual = AgreementTerms(
        kind=1,
        initiators=1,
        fee_bps=10,
        lifetime_days=365,
        source_merchant=PROGRAMS[source],
        target_merchant=PROGRAMS[target],
        source_program=source,
        target_program=target,
        valid_from=BEGIN,
        valid_until=BEGIN + YEAR,
        rate_num=rate[0],
        rate_den=rate[1],
        unit_price_micros=price,
        max_points=3_000,
        daily_cap=5_000,
        supersedes=0,
        grace_seconds=0,
        accept_by=0,
        keep_expiry=False,
        document=bytes(32),
    )
    return replace(usual, **more)


def acceptance(source: int, acceptor: int, price: int, **more: Any) -> AgreementTerms:
    """Terms under which a merchant takes points of program `source` for goods."""
    terms = exchange(source, source, (1, 1), price, kind=2, target_merchant=acceptor, target_program=0)
    return replace(terms, **{"lifetime_days": 0, "max_points": 2_000, "daily_cap": 3_000, **more})


AGREEMENTS = (
    exchange(1, 2, (9, 10), 10_000, initiators=3),
    exchange(2, 1, (10, 9), 9_000, fee_bps=0, max_points=10**6, daily_cap=10**7),
    exchange(1, 5, (7, 3), 3_333, initiators=3, lifetime_days=0),  # across pages
    exchange(4, 1, (1, 3), 1_000, fee_bps=10_000),  # a merchant's own two programs, at an absurd fee
    exchange(5, 3, (2**32 - 1, 1), 0, max_points=2**64 - 1, daily_cap=2**64 - 1),  # points as many as the sand
    exchange(3, 6, (1, 1), 2**62, valid_until=FOREVER),  # dearer than 64 bits can say
    acceptance(1, CARWASH, 8_000, initiators=2),
    acceptance(5, CINEMA, 12_345, initiators=1, fee_bps=333),
    acceptance(2, MARKET, 7_000, initiators=3, valid_from=BEGIN + 2 * DAY, valid_until=BEGIN + 9 * DAY),
)


def sign_terms(twins: Twins, terms: AgreementTerms) -> tuple[bytes, bytes]:
    """Both merchants' signatures, with their first keys."""
    digest = terms.digest(twins.chain.domain)
    source, target = (private_key(m, 0) for m in (terms.source_merchant, terms.target_merchant))
    return full_signature(sign_digest(digest, source)), full_signature(sign_digest(digest, target))


def sign_order(twins: Twins, order: Order, key: bytes) -> SignedOrder:
    """An order with its signature."""
    return SignedOrder(order, sign_digest(order.digest(twins.chain.domain), key))


def found_network(twins: Twins, agreements: Sequence[AgreementTerms] = AGREEMENTS) -> None:
    """Registers everybody and everything; nobody has points or money yet."""
    by = twins.operator
    for merchant in MERCHANTS:
        name = text_word(f"merchant {merchant}")
        twins.call(by, "register_merchant", merchant, name, address(merchant), LIMITS[merchant])
    for program, merchant in PROGRAMS.items():
        code = text_word(f"P{program}")
        twins.call(by, "register_program", program, merchant, code, text_word(f"Program {program}"))
    for number, terms in enumerate(agreements, 1):
        assert twins.call(by, "register_agreement", number, terms, *sign_terms(twins, terms)) is None


def endow(twins: Twins, points: Sequence[int]) -> None:
    """Every member gets points of every program, a different number each."""
    orders = []
    for merchant in MERCHANTS:
        own = [program for program, owner in PROGRAMS.items() if owner == merchant]
        gifts = tuple(
            Instruction(Kind.ISSUE, member, points[program - 1] + n, program)
            for program in own
            for n, member in enumerate(MEMBERS)
        )
        order = Order(merchant, ENDOWMENT_NONCE, FOREVER, gifts)
        orders.append(sign_order(twins, order, private_key(merchant, 0)))
    twins.execute(orders, None)
