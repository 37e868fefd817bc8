"""A small network on a real chain: three merchants, two programs, four days, forty transactions; and all of it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from tests.contracts.chain import ChainHouse
from tests.contracts.network import address, private_key
from tongdui.audit.model.clearing_house import FOREVER
from tongdui.audit.model.records import Role, SignerChange, Status
from tongdui.encoding import hex_of, keccak256, text_word
from tongdui.orders import (
    AgreementTerms,
    Instruction,
    Kind,
    Order,
    SignedOrder,
    full_signature,
    sign_digest,
    signer_change_digest,
    termination_digest,
)
from tongdui.receipts import Entry, Evidence, merkle_proof

UTC_OFFSET = 8 * 3_600
DAY = 86_400
FIRST_DAY = 20_000
"""The network's first day: 2024-10-04 in Shanghai."""
BEGIN = FIRST_DAY * DAY - UTC_OFFSET + 9 * 3_600
CHAIN_ARGUMENTS = ("--code-size-limit", "60000", "--timestamp", str(BEGIN - 60))
STATION, CINEMA, WASH = 1, 2, 3
FUEL, CINE = 1, 2
"""Programs of the station and of the cinema; the wash has none."""
EXCHANGE, ACCEPTANCE, NEW_EXCHANGE = 1, 2, 3
"""Agreements. The third supersedes the first on the third day."""
ANNA, BO, CHEN = ("0x" + keccak256(name)[:20].hex() for name in (b"anna", b"bo", b"chen"))
YUAN = 1_000_000
BANK_LINES = (
    (FIRST_DAY, "BANK-1", 1_000 * YUAN),
    (FIRST_DAY, "BANK-2", 500 * YUAN),
    (FIRST_DAY + 2, "BANK-3", -1 * YUAN // 2),
)
"""What the settlement bank says: day, reference, and micros that came, or went."""


class World:
    """The network, and hands to go on with it. Every transaction is a block of its own."""

    def __init__(self, url: str, begin: int = BEGIN) -> None:
        self.url = url
        self.now = begin
        self.chain = ChainHouse(url, 0, text_word("Tongdui"), UTC_OFFSET, begin)
        self.first_block = self.chain.height()
        self.rpc = self.chain.rpc
        self.domain = self.chain.domain
        self.admin, self.operator, self.sequencer, self.treasury, self.pauser, self.stranger = self.chain.accounts[:6]
        self.keys = {merchant: private_key(merchant, 0) for merchant in (STATION, CINEMA, WASH)}
        self.entries: list[Entry] = []
        self._nonces: Counter[int] = Counter()

    # ---------------------------------------------------------------- transactions

    def pass_time(self, seconds: int) -> None:
        """Moves the clock; the next transaction is in a block at that time."""
        self.now += seconds

    def today(self) -> int:
        """The network's day."""
        return (self.now + UTC_OFFSET) // DAY

    def call(self, by: str, function: str, *arguments: Any) -> None:
        """Makes a call, a second after the last."""
        self.now += 1
        self.chain.transact(self.now, by, function, *arguments)

    def batch(self, *orders: SignedOrder) -> list[tuple[str, tuple[Any, ...]]]:
        """Executes a batch; returns its events."""
        self.now += 1
        events = self.chain.execute(self.now, self.sequencer, orders, self.evidence)
        self.entries += [values[0] for _, values in events if isinstance(values[0], Entry)]
        return events

    def order(self, merchant: int, *instructions: Instruction, **changes: Any) -> SignedOrder:
        """An order with the merchant's next nonce, signed. `changes` are fields of the order, or the `key` that signs."""
        key = changes.pop("key", self.keys[merchant])
        if "nonce" not in changes:
            self._nonces[merchant] += 1
        order = replace(Order(merchant, self._nonces[merchant], FOREVER, instructions), **changes)
        return SignedOrder(order, sign_digest(order.digest(self.domain), key))

    def evidence(self, instruction: Instruction) -> Evidence:
        """The proof of the entry that an instruction reverses."""
        (entry,) = (one for one in self.entries if one.leaf() == instruction.link)
        leaves = [one.leaf() for one in self.entries if one.batch == entry.batch]
        return Evidence(entry, merkle_proof(leaves, entry.index))

    def last(self, kind: Kind) -> Entry:
        """The latest entry of a kind."""
        return next(entry for entry in reversed(self.entries) if entry.kind == kind)

    def sign_terms(self, terms: AgreementTerms, source: bytes = b"", target: bytes = b"") -> tuple[bytes, bytes]:
        """Both merchants' signatures of an agreement, by default with their present keys."""
        digest = terms.digest(self.domain)
        return (
            full_signature(sign_digest(digest, source or self.keys[terms.source_merchant])),
            full_signature(sign_digest(digest, target or self.keys[terms.target_merchant])),
        )

    # ---------------------------------------------------------------- the history

    def live(self) -> None:
        """Everything that happens, from the first day to the fourth."""
        self._found()
        self._first_day()
        self.pass_time(DAY)
        self._second_day()
        self.pass_time(DAY)
        self._third_day()
        self.pass_time(DAY)
        self._fourth_day()

    def _found(self) -> None:
        for role, account in zip(Role, self.chain.accounts[1:5], strict=True):
            self.call(self.admin, "setRole", role, account, True)
        for merchant, name, limit in ((STATION, "Station", 100), (CINEMA, "Cinema", 50), (WASH, "Wash", 0)):
            self.call(self.operator, "registerMerchant", merchant, text_word(name), address(merchant), limit * YUAN)
        self.call(self.operator, "registerProgram", FUEL, STATION, text_word("FUEL"), text_word("Fuel points"))
        self.call(self.operator, "registerProgram", CINE, CINEMA, text_word("CINE"), text_word("Cinema stars"))
        for number, terms in ((EXCHANGE, exchange_terms()), (ACCEPTANCE, acceptance_terms())):
            self.call(self.operator, "registerAgreement", number, terms, *self.sign_terms(terms))
        self.call(self.treasury, "deposit", STATION, 1_000 * YUAN, keccak256(b"BANK-1"))
        self.call(self.treasury, "deposit", CINEMA, 500 * YUAN, keccak256(b"BANK-2"))

    def _first_day(self) -> None:
        """Anna has 1,000 that are over on the fourth day, and 500 that never are."""
        over = FIRST_DAY + 3
        self.batch(
            self.order(
                STATION, issue(ANNA, 1_000, expiry_day=over), issue(ANNA, 500), issue(BO, 800, expiry_day=over + 27)
            ),
            self.order(CINEMA, issue(CHEN, 300, CINE)),
        )
        self.batch(
            self.order(STATION, convert(ANNA, 200)),
            self.order(WASH, spend(ANNA, 100)),
            self.order(STATION, Instruction(Kind.REDEEM, BO, 50, FUEL, ref=keccak256(b"coffee"))),
        )
        self.batch()

    def _second_day(self) -> None:
        """Points go to Chen; a part of the exchange and the redemption are taken back; orders are refused; keys change."""
        exchanged, redeemed = self.last(Kind.EXCHANGE), self.last(Kind.REDEEM)
        self.batch(
            self.order(STATION, transfer(ANNA, CHEN, 100)),
            self.order(CINEMA, reverse(exchanged, 100)),
            self.order(STATION, reverse(redeemed, 50), convert(ANNA, 100), atomic=True),
        )
        self.batch(
            self.order(STATION, convert(BO, 100), convert(BO, 5_000), atomic=True),  # too many: none of it happens
            self.order(STATION, convert(CHEN, 9_999)),
            self.order(STATION, issue(BO, 1), deadline=self.now - DAY),
            self.order(STATION, issue(BO, 1), nonce=1),
            self.order(CINEMA, issue(BO, 1, CINE), key=private_key(WASH, 0)),
        )
        self._rotate(STATION)
        self.batch(self.order(STATION, issue(BO, 20)), self.order(STATION, issue(BO, 20), key=private_key(STATION, 0)))
        self.call(self.pauser, "pause")
        self.call(self.pauser, "unpause")
        self.call(self.pauser, "setProgramPaused", CINE, True)
        self.batch(self.order(STATION, convert(BO, 10)))
        self.call(self.pauser, "setProgramPaused", CINE, False)
        self.call(self.operator, "setMerchantStatus", WASH, Status.SUSPENDED)
        self.call(self.operator, "setMerchantStatus", WASH, Status.ACTIVE)

    def _rotate(self, merchant: int) -> None:
        """The merchant signs a second key in; the operator revokes the first."""
        new, nonce = private_key(merchant, 1), 10**6
        change = SignerChange(merchant, address(merchant, 1), 0, FOREVER, nonce)
        digest = signer_change_digest(self.domain, *change)
        signatures = (full_signature(sign_digest(digest, key)) for key in (self.keys[merchant], new))
        self.call(self.stranger, "changeSigner", change, *signatures)
        self.call(self.operator, "revokeSigner", address(merchant, 0), self.now)
        self.keys[merchant] = new

    def _third_day(self) -> None:
        """New terms supersede the old ones, money leaves, a credit limit grows."""
        terms = exchange_terms(rate_num=8, supersedes=EXCHANGE, grace_seconds=3_600)
        self.call(self.operator, "registerAgreement", NEW_EXCHANGE, terms, *self.sign_terms(terms))
        self.batch(
            self.order(STATION, convert(BO, 90)),  # the old terms, in their grace
            self.order(CINEMA, convert(BO, 100, NEW_EXCHANGE)),
            self.order(WASH, spend(BO, 30)),
        )
        self.call(self.treasury, "withdraw", WASH, YUAN // 2, keccak256(b"BANK-3"))
        self.call(self.operator, "setCreditLimit", CINEMA, 80 * YUAN)
        self.call(self.operator, "setIssuanceCap", CINE, 1_000_000)
        self.call(self.operator, "setIssuanceCap", CINE, 2_000_000)

    def _fourth_day(self) -> None:
        """What is over goes: of Anna's 1,000 all that is left, and what Chen has of them."""
        self.batch(
            self.order(
                STATION,
                Instruction(Kind.EXPIRE, ANNA, 1_000 - 200 - 100 - 100 + 100 - 100, FUEL),
                Instruction(Kind.EXPIRE, CHEN, 100, FUEL),
            ),
            self.order(STATION, issue(CHEN, 70, expiry_day=FIRST_DAY + 400)),
        )
        signature = full_signature(
            sign_digest(termination_digest(self.domain, ACCEPTANCE, self.now + DAY), self.keys[WASH])
        )
        self.call(self.stranger, "terminateAgreement", ACCEPTANCE, self.now + DAY, WASH, signature)
        self.batch(self.order(CINEMA, Instruction(Kind.REDEEM, CHEN, 40, CINE)))


# -------------------------------------------------------------------- terms and instructions


def exchange_terms(**changes: Any) -> AgreementTerms:
    """Fuel points become cinema stars, at 9 for 10, at a cent each."""
    usual = AgreementTerms(
        kind=1,
        initiators=3,
        fee_bps=10,
        lifetime_days=365,
        source_merchant=STATION,
        target_merchant=CINEMA,
        source_program=FUEL,
        target_program=CINE,
        valid_from=BEGIN,
        valid_until=BEGIN + 365 * DAY,
        rate_num=9,
        rate_den=10,
        unit_price_micros=10_000,
        max_points=3_000,
        daily_cap=5_000,
        supersedes=0,
        grace_seconds=0,
        accept_by=0,
        keep_expiry=False,
        document=bytes(32),
    )
    return replace(usual, **changes)


def acceptance_terms(**changes: Any) -> AgreementTerms:
    """The wash takes fuel points for goods, and may say so itself."""
    usual = exchange_terms(kind=2, initiators=2, target_merchant=WASH, target_program=0, rate_num=1, rate_den=1)
    return replace(usual, **{"unit_price_micros": 8_000, "lifetime_days": 0, **changes})


def issue(member: str, points: int, program: int = FUEL, expiry_day: int = 0) -> Instruction:
    """Points for a member; by default they are never over."""
    return Instruction(Kind.ISSUE, member, points, program, expiry_day=expiry_day, ref=keccak256(b"sale"))


def convert(member: str, points: int, agreement: int = EXCHANGE) -> Instruction:
    """Fuel points become cinema stars."""
    return Instruction(Kind.EXCHANGE, member, points, FUEL, agreement)


def spend(member: str, points: int) -> Instruction:
    """Fuel points pay for a wash."""
    return Instruction(Kind.SPEND, member, points, FUEL, ACCEPTANCE)


def transfer(giver: str, taker: str, points: int) -> Instruction:
    """Fuel points go to another member."""
    return Instruction(Kind.TRANSFER, giver, points, FUEL, link=bytes(12) + bytes.fromhex(taker[2:]))


def reverse(entry: Entry, points: int) -> Instruction:
    """Some points of an entry are taken back."""
    return Instruction(Kind.REVERSE, entry.member, points, entry.program, link=entry.leaf())


def bank_file(lines: Sequence[tuple[int, str, int]] = BANK_LINES, currency: str = "CNY") -> str:
    """The bank's statement in camt.053."""
    entries = "".join(_bank_entry(*line, currency) for line in lines)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>1</MsgId></GrpHdr>'
        f"<Stmt><Id>1</Id><Acct><Id><Othr><Id>622200001</Id></Othr></Id></Acct>{entries}</Stmt>"
        "</BkToCstmrStmt></Document>\n"
    )


def _bank_entry(day: int, reference: str, micros: int, currency: str) -> str:
    when = date(1970, 1, 1) + timedelta(days=day)
    amount = f"{abs(micros) // YUAN}.{abs(micros) % YUAN // 10_000:02}"
    way = "CRDT" if micros > 0 else "DBIT"
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt><Dt>{when}</Dt></BookgDt><AcctSvcrRef>{reference}</AcctSvcrRef></Ntry>"
    )


def hex_word(value: int) -> str:
    """A number as a word of the chain."""
    return hex_of(value.to_bytes(32, "big"))
