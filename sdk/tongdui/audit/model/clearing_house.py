"""The clearing house in plain Python: every rule of the contract with dictionaries and integers, slow and easy to read.

Written from DESIGN.md and the NatSpec of `IClearingHouse.sol`. A call does here what it does on chain: it appends the same events
to `events`, raises `Reverted` with the same custom error, and refuses orders and instructions with the same `Reason`, looked for in
the same order. Words and hashes come from the SDK, which owns the wire protocol. Time is whatever the caller sets `now` to.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from fractions import Fraction
from math import ceil, floor
from typing import Any

from ...encoding import ZERO_WORD
from ...orders import (
    NO_NONCE,
    UINT64_MAX,
    ZERO_ADDRESS,
    AgreementTerms,
    Domain,
    Instruction,
    Kind,
    Order,
    Reason,
    SignedOrder,
    recover_signer,
    signature_bytes,
    signer_change_digest,
    termination_digest,
)
from ...receipts import Entry, Evidence, chain_head, merkle_root, root_of_proof
from .records import (
    Agreement,
    Key,
    Merchant,
    Movement,
    Program,
    Refused,
    Reverted,
    Role,
    SignerChange,
    Status,
    check,
    require,
)

OPERATOR_MERCHANT = 0
FOREVER = 2**40 - 1
MAX_CREDIT_LIMIT = 2**63 - 1
MAX_FUNDS = 2**94
MAX_BATCH = 2**16 - 1
MAX_GRACE = 7 * 86_400
BPS = 10_000
EXCHANGE, ACCEPTANCE = 1, 2
SOURCE_MAY_INITIATE, TARGET_MAY_INITIATE = 1, 2

Event = tuple[str, tuple[Any, ...]]
FindEvidence = Callable[[Instruction], Evidence | None]


class ClearingHouse:
    """All state of the network, and the calls that change it. `by` is the account that makes the call."""

    def __init__(self, domain: Domain, admin: str, operator_name: bytes, utc_offset: int, now: int) -> None:
        self.domain = domain
        self.admin = admin
        self.utc_offset = utc_offset
        self.now = now
        self.network_paused = False
        self.roles: set[tuple[Role, str]] = set()
        self.merchants = {OPERATOR_MERCHANT: Merchant(credit_limit=0)}
        self.keys: dict[str, Key] = {}
        self.programs: dict[int, Program] = {}
        self.agreements: dict[int, Agreement] = {}
        self.registered: dict[bytes, int] = {}  # digest of signed terms -> agreement
        self.balances: defaultdict[tuple[str, int], int] = defaultdict(int)  # (member, program) -> points
        self.funds = 0  # deposits - withdrawals
        self.bank_refs: set[bytes] = set()
        self.nonces: set[tuple[int, int]] = set()  # (merchant, nonce)
        self.reversed: defaultdict[bytes, int] = defaultdict(int)  # leaf -> source points reversed so far
        self.roots: dict[int, bytes] = {}
        self.day_of: dict[int, int] = {}  # network day by batch
        self.head = ZERO_WORD
        self.events: list[Event] = [
            ("OwnershipTransferred", (ZERO_ADDRESS, admin)),
            ("MerchantRegistered", (OPERATOR_MERCHANT, 0, operator_name)),
        ]

    def today(self) -> int:
        """Days since 1970-01-01 in the network's time zone."""
        return (self.now + self.utc_offset) // 86_400

    def state(self) -> dict[str, Any]:
        """All there is to know, for comparison; what is zero is left out."""
        return {
            "merchants": {n: (m.status, m.position, m.credit_limit) for n, m in self.merchants.items()},
            "keys": {key: (k.merchant, k.valid_from, k.valid_until) for key, k in self.keys.items()},
            "programs": {n: (p.merchant, p.paused, p.code, p.name) for n, p in self.programs.items()},
            "totals": {n: tuple(p.totals.values()) for n, p in self.programs.items()},
            "supplies": {n: p.supply() for n, p in self.programs.items()},
            "agreements": {n: astuple(a.terms) for n, a in self.agreements.items()},
            "used today": {n: a.used.get(self.today(), 0) for n, a in self.agreements.items()},
            "balances": {account: points for account, points in self.balances.items() if points},
            "reversed": {leaf: points for leaf, points in self.reversed.items() if points},
            "nonces": self.nonces,
            "bank references": self.bank_refs,
            "funds": self.funds,
            "roots": self.roots,
            "head": self.head,
            "today": self.today(),
            "paused": self.network_paused,
        }

    def _emit(self, event: str, *args: Any) -> None:
        self.events.append((event, args))

    def _require_role(self, by: str, role: Role) -> None:
        require((role, by) in self.roles, "MissingRole", role, by)

    # ---------------------------------------------------------------- registry

    def set_role(self, by: str, role: Role, account: str, held: bool) -> None:
        require(by == self.admin, "OwnableUnauthorizedAccount", by)
        if held:
            self.roles.add((role, account))
        else:
            self.roles.discard((role, account))
        self._emit("RoleChanged", role, account, held)

    def register_merchant(self, by: str, merchant: int, name: bytes, key: str, credit_limit: int) -> None:
        self._require_role(by, Role.OPERATOR)
        require(merchant == len(self.merchants), "UnexpectedId", merchant, len(self.merchants))
        require(credit_limit <= MAX_CREDIT_LIMIT, "BadCreditLimit", merchant, credit_limit, 0)
        self._check_key(merchant, key, 0, FOREVER)
        self.merchants[merchant] = Merchant(credit_limit)
        self._emit("MerchantRegistered", merchant, credit_limit, name)
        self._set_key(merchant, key, 0, FOREVER)

    def set_merchant_status(self, by: str, merchant: int, status: Status) -> None:
        self._require_role(by, Role.OPERATOR)
        old = self._known_merchant(merchant).status
        possible = old != Status.CLOSED and status not in (Status.NONE, old) and merchant != OPERATOR_MERCHANT
        require(possible, "BadStatusChange", merchant, old, status)
        self.merchants[merchant].status = status
        self._emit("MerchantStatusChanged", merchant, status)

    def change_signer(self, by: str, change: SignerChange, signature: bytes, key_signature: bytes) -> None:
        merchant, key, valid_from, valid_until, nonce = change
        digest = signer_change_digest(self.domain, *change)
        self._require_signature(merchant, digest, signature)
        require(key in self.keys or _signer(digest, key_signature) == key, "KeyNotProven", key)
        require((merchant, nonce) not in self.nonces, "NonceAlreadyUsed", merchant, nonce)
        self._check_key(merchant, key, valid_from, valid_until)
        self.nonces.add((merchant, nonce))
        self._set_key(merchant, key, valid_from, valid_until, nonce)

    def revoke_signer(self, by: str, key: str, valid_until: int) -> None:
        self._require_role(by, Role.OPERATOR)
        require(key in self.keys, "KeyUnknown", key)
        old = self.keys[key]
        require(0 < valid_until < old.valid_until, "BadWindow", old.valid_from, valid_until)
        self._set_key(old.merchant, key, old.valid_from, valid_until)

    def recover_signer(self, by: str, merchant: int, key: str) -> None:
        require(by == self.admin, "OwnableUnauthorizedAccount", by)
        self._known_merchant(merchant)
        self._check_key(merchant, key, self.now, FOREVER)
        self._set_key(merchant, key, self.now, FOREVER)

    def register_program(self, by: str, program: int, merchant: int, code: bytes, name: bytes) -> None:
        self._require_role(by, Role.OPERATOR)
        require(program == len(self.programs) + 1, "UnexpectedId", program, len(self.programs) + 1)
        self._known_merchant(merchant)
        self.programs[program] = Program(merchant, code, name)
        self._emit("ProgramRegistered", program, merchant, code, name)

    def set_program_paused(self, by: str, program: int, paused: bool) -> None:
        self._require_role(by, Role.PAUSER)
        self._known_program(program).paused = paused
        self._emit("ProgramPauseChanged", program, paused)

    def pause(self, by: str) -> None:
        self._require_role(by, Role.PAUSER)
        require(not self.network_paused, "EnforcedPause")
        self.network_paused = True
        self._emit("Paused", by)

    def unpause(self, by: str) -> None:
        self._require_role(by, Role.PAUSER)
        require(self.network_paused, "ExpectedPause")
        self.network_paused = False
        self._emit("Unpaused", by)

    def _known_merchant(self, merchant: int) -> Merchant:
        require(merchant in self.merchants, "UnknownMerchant", merchant)
        return self.merchants[merchant]

    def _runs(self, merchant: int, program: int) -> bool:
        return program in self.programs and self.programs[program].merchant == merchant

    def _known_program(self, program: int) -> Program:
        require(program in self.programs, "UnknownProgram", program)
        return self.programs[program]

    def _check_key(self, merchant: int, key: str, valid_from: int, valid_until: int) -> None:
        require(key != ZERO_ADDRESS, "ZeroKey")
        require(valid_until != 0 and valid_until >= valid_from, "BadWindow", valid_from, valid_until)
        owner = self.keys[key].merchant if key in self.keys else merchant
        require(owner == merchant, "KeyTaken", key, owner)

    def _set_key(self, merchant: int, key: str, valid_from: int, valid_until: int, nonce: int = NO_NONCE) -> None:
        self.keys[key] = Key(merchant, valid_from, valid_until)
        self._emit("SignerChanged", merchant, key, valid_from, valid_until, nonce)

    def _is_signed(self, merchant: int, digest: bytes, compact: bytes) -> bool:
        """Whether a live key of `merchant` made this signature."""
        key = self.keys.get(_signer_of_compact(digest, compact))
        return key is not None and key.merchant == merchant and key.valid_from <= self.now < key.valid_until

    def _require_signature(self, merchant: int, digest: bytes, signature: bytes) -> None:
        require(self._is_signed(merchant, digest, _compact(signature)), "BadSignature", merchant)

    def renounce_ownership(self, by: str) -> None:
        raise Reverted("OwnerNeeded")

    # ---------------------------------------------------------------- agreements

    def register_agreement(
        self, by: str, number: int, terms: AgreementTerms, source_signature: bytes, target_signature: bytes
    ) -> None:
        self._require_role(by, Role.OPERATOR)
        require(number == len(self.agreements) + 1, "UnexpectedId", number, len(self.agreements) + 1)
        self._check_terms(terms)
        digest = terms.digest(self.domain)
        require(digest not in self.registered, "AlreadyRegistered", digest, self.registered.get(digest))
        self._require_signature(terms.source_merchant, digest, source_signature)
        self._require_signature(terms.target_merchant, digest, target_signature)
        self.agreements[number] = Agreement(terms)
        self.registered[digest] = number
        self._emit("AgreementRegistered", number, digest, astuple(terms), source_signature, target_signature)
        if terms.supersedes:
            old = self.agreements[terms.supersedes]
            self.agreements[number].used[self.today()] = old.used[self.today()]
            begin = max(terms.valid_from, self.now)  # until then the old terms stay in force
            self._end(terms.supersedes, begin + terms.grace_seconds, successor=number)

    def terminate_agreement(self, by: str, number: int, effective_at: int, merchant: int, signature: bytes) -> None:
        terms = self._known_agreement(number).terms
        require(merchant in (terms.source_merchant, terms.target_merchant), "BadSignature", merchant)
        self._require_signature(merchant, termination_digest(self.domain, number, effective_at), signature)
        self._end(number, effective_at, successor=0)

    def _end(self, number: int, when: int, successor: int) -> None:
        """An end never lies in the past, and never moves away."""
        agreement = self.agreements[number]
        valid_until = min(max(when, self.now), agreement.terms.valid_until)
        agreement.terms = replace(agreement.terms, valid_until=valid_until)
        self._emit("AgreementEnds", number, valid_until, successor)

    def _known_agreement(self, number: int) -> Agreement:
        require(number in self.agreements, "UnknownAgreement", number)
        return self.agreements[number]

    def _check_terms(self, t: AgreementTerms) -> None:
        self._known_merchant(t.source_merchant)
        self._known_merchant(t.target_merchant)
        require(self._runs(t.source_merchant, t.source_program), "BadTerms", "sourceProgram")
        if t.kind == EXCHANGE:
            other = t.target_program != t.source_program
            require(other and self._runs(t.target_merchant, t.target_program), "BadTerms", "targetProgram")
            require(bool(t.initiators & SOURCE_MAY_INITIATE), "BadTerms", "initiators")
        elif t.kind == ACCEPTANCE:
            require(t.target_program == 0, "BadTerms", "targetProgram")
            require(t.target_merchant != t.source_merchant, "BadTerms", "targetMerchant")
            require((t.rate_num, t.rate_den) == (1, 1), "BadTerms", "rateNum")
            require(t.lifetime_days == 0, "BadTerms", "lifetimeDays")
            require(not t.keep_expiry, "BadTerms", "keepExpiry")
        else:
            raise Reverted("BadTerms", "kind")
        require(1 <= t.initiators <= 3, "BadTerms", "initiators")
        require(t.rate_num > 0, "BadTerms", "rateNum")
        require(t.rate_den > 0, "BadTerms", "rateDen")
        require(t.fee_bps <= BPS, "BadTerms", "feeBps")
        require(t.max_points > 0, "BadTerms", "maxPoints")
        require(t.daily_cap >= t.max_points, "BadTerms", "dailyCap")
        require(t.valid_until > max(t.valid_from, self.now), "BadTerms", "validUntil")
        require(t.grace_seconds <= MAX_GRACE, "BadTerms", "graceSeconds")
        require(t.accept_by == 0 or self.now <= t.accept_by, "BadTerms", "acceptBy")
        if t.supersedes:
            require(_route(self._known_agreement(t.supersedes).terms) == _route(t), "BadTerms", "supersedes")

    # ---------------------------------------------------------------- settlement

    def set_credit_limit(self, by: str, merchant: int, micros: int) -> None:
        self._require_role(by, Role.OPERATOR)
        m = self._known_merchant(merchant)
        covers = micros <= MAX_CREDIT_LIMIT and m.position >= -micros
        require(covers, "BadCreditLimit", merchant, micros, m.position)
        m.credit_limit = micros
        self._emit("CreditLimitChanged", merchant, micros)

    def deposit(self, by: str, merchant: int, micros: int, bank_ref: bytes) -> None:
        m = self._book(by, merchant, micros, bank_ref)
        require(self.funds + micros <= MAX_FUNDS, "AmountOutOfRange", micros)
        m.position += micros
        self.funds += micros
        self.bank_refs.add(bank_ref)
        self._emit("Deposited", merchant, micros, bank_ref)

    def withdraw(self, by: str, merchant: int, micros: int, bank_ref: bytes) -> None:
        m = self._book(by, merchant, micros, bank_ref)
        require(m.position >= micros, "PositionTooLow", merchant, m.position, micros)
        require(self.funds >= micros, "FundsTooLow", self.funds, micros)
        m.position -= micros
        self.funds -= micros
        self.bank_refs.add(bank_ref)
        self._emit("Withdrawn", merchant, micros, bank_ref)

    def _book(self, by: str, merchant: int, micros: int, bank_ref: bytes) -> Merchant:
        """What deposits and withdrawals check alike."""
        self._require_role(by, Role.TREASURY)
        m = self._known_merchant(merchant)
        require(micros != 0, "ZeroAmount")
        require(bank_ref not in self.bank_refs, "BankRefUsed", bank_ref)
        return m

    def _pay(self, payer: int, payee: int, micros: int) -> None:
        self.merchants[payer].position -= micros
        self.merchants[payee].position += micros

    # ---------------------------------------------------------------- execution

    def execute(self, by: str, orders: Sequence[SignedOrder], evidence_of: FindEvidence) -> None:
        """Executes a batch. `evidence_of` gives the evidence that the sequencer attached to a reversal, if any."""
        self._require_role(by, Role.SEQUENCER)
        require(not self.network_paused, "EnforcedPause")
        count = sum(len(signed.order.instructions) for signed in orders)
        require(count <= MAX_BATCH, "BatchTooLarge", count)
        batch = len(self.roots) + 1
        leaves: list[bytes] = []
        for signed in orders:
            leaves += self._execute_order(signed, batch, len(leaves), evidence_of)
        root = merkle_root(leaves)
        self.head = chain_head(self.head, batch, len(leaves), root)
        self.roots[batch] = root
        self.day_of[batch] = self.today()
        self._emit("BatchClosed", batch, len(leaves), root, self.head)

    def _execute_order(self, signed: SignedOrder, batch: int, index: int, evidence_of: FindEvidence) -> list[bytes]:
        """Executes one order and returns the leaves of its entries, the first of which has `index` in the batch."""
        order = signed.order
        digest = order.digest(self.domain)
        reason = self._admit(signed, digest)
        if reason is not Reason.NONE:
            self._emit("OrderRejected", order.merchant, order.nonce, digest, reason)
            return []
        self.nonces.add((order.merchant, order.nonce))
        before = copy.deepcopy(vars(self)) if order.atomic else {}
        leaves: list[bytes] = []
        for item, instruction in enumerate(order.instructions):
            try:
                entry = self._post(order, item, instruction, batch, index + len(leaves), evidence_of)
                leaves.append(entry.leaf())
            except Refused as refused:
                vars(self).update(before)  # an atomic order: as if it had never begun
                self._emit("InstructionRejected", order.merchant, order.nonce, item, refused.reason)
                if order.atomic:
                    self._emit("OrderRejected", order.merchant, order.nonce, digest, Reason.ATOMIC_FAILED)
                    return []
        return leaves

    def _admit(self, signed: SignedOrder, digest: bytes) -> Reason:
        order = signed.order
        if not self._is_signed(order.merchant, digest, signed.signature):
            return Reason.UNKNOWN_SIGNER
        if self.now > order.deadline:
            return Reason.DEADLINE_PASSED
        if self.merchants[order.merchant].status == Status.CLOSED:
            return Reason.MERCHANT_CLOSED
        if not order.instructions:
            return Reason.EMPTY_ORDER
        if (order.merchant, order.nonce) in self.nonces:
            return Reason.NONCE_USED
        return Reason.NONE

    def _post(
        self, order: Order, item: int, i: Instruction, batch: int, index: int, evidence_of: FindEvidence
    ) -> Entry:
        """Applies an instruction and records the entry."""
        moved = self._apply(order.merchant, i, evidence_of)
        entry = Entry(
            batch=batch,
            index=index,
            merchant=order.merchant,
            nonce=order.nonce,
            item=item,
            kind=i.kind,
            program=i.program,
            member=i.member,
            ref=i.ref,
            link=i.link,
            **vars(moved),
        )
        self._emit("EntryPosted" if i.link == ZERO_WORD else "LinkedEntryPosted", entry)
        return entry

    # ---------------------------------------------------------------- instructions

    def _apply(self, merchant: int, i: Instruction, evidence_of: FindEvidence) -> Movement:
        check(i.points > 0, Reason.ZERO_POINTS)
        check(i.member != ZERO_ADDRESS, Reason.ZERO_MEMBER)
        match i.kind:
            case Kind.ISSUE:
                return self._issue(merchant, i)
            case Kind.REDEEM | Kind.EXPIRE:
                return self._burn_own(merchant, i)
            case Kind.EXCHANGE:
                return self._exchange(merchant, i)
            case Kind.SPEND:
                return self._spend(merchant, i)
            case Kind.TRANSFER:
                return self._transfer(merchant, i)
            case Kind.REVERSE:
                return self._reverse(merchant, i, evidence_of(i))
        raise Refused(Reason.UNKNOWN_KIND)

    def _issue(self, merchant: int, i: Instruction) -> Movement:
        self._check_not_suspended(merchant)
        program = self._own_program(merchant, i.program)
        check(i.expiry_day == 0 or i.expiry_day > self.today(), Reason.ALREADY_EXPIRED)
        check(program.can_mint(i.points), Reason.SUPPLY_OVERFLOW)
        self._mint(i.member, i.program, i.points, "issued")
        return Movement(i.points, expiry_day=i.expiry_day)

    def _burn_own(self, merchant: int, i: Instruction) -> Movement:
        self._own_program(merchant, i.program)
        check(self.balances[i.member, i.program] >= i.points, Reason.INSUFFICIENT_POINTS)
        self._burn(i.member, i.program, i.points, "redeemed" if i.kind == Kind.REDEEM else "expired")
        return Movement(i.points)

    def _transfer(self, merchant: int, i: Instruction) -> Movement:
        self._check_not_suspended(merchant)
        self._own_program(merchant, i.program)
        check(_is_address(i.link) and _address(i.link) not in (ZERO_ADDRESS, i.member), Reason.BAD_RECIPIENT)
        check(self.balances[i.member, i.program] >= i.points, Reason.INSUFFICIENT_POINTS)
        self.balances[i.member, i.program] -= i.points
        self.balances[_address(i.link), i.program] += i.points
        return Movement(i.points)

    def _exchange(self, merchant: int, i: Instruction) -> Movement:
        """The remainder of the division stays with the member: only what buys whole target points is burnt."""
        agreement = self._usable_agreement(merchant, i, EXCHANGE)
        terms = agreement.terms
        out = floor(i.points * agreement.rate)
        check(out > 0 and out >= i.min_out, Reason.BELOW_MINIMUM)
        check(self.programs[terms.target_program].can_mint(out), Reason.SUPPLY_OVERFLOW)
        points = ceil(out / agreement.rate)
        moved = self._settle(i, agreement, Movement(points, out, settled=out * terms.unit_price_micros))
        self._burn(i.member, terms.source_program, points, "exchanged_out")
        self._mint(i.member, terms.target_program, out, "exchanged_in")
        expiry_day = self.today() + terms.lifetime_days if terms.lifetime_days else 0
        return replace(moved, expiry_day=expiry_day)

    def _spend(self, merchant: int, i: Instruction) -> Movement:
        agreement = self._usable_agreement(merchant, i, ACCEPTANCE)
        settled = i.points * agreement.terms.unit_price_micros
        moved = self._settle(i, agreement, Movement(i.points, settled=settled))
        self._burn(i.member, i.program, i.points, "spent")
        return moved

    def _settle(self, i: Instruction, agreement: Agreement, moved: Movement) -> Movement:
        """Checks the member's points, the cap and the money; then the source merchant pays the target merchant and the fee."""
        terms = agreement.terms
        fee = ceil(Fraction(moved.settled * terms.fee_bps, BPS))
        payer = self.merchants[terms.source_merchant]
        check(moved.settled <= UINT64_MAX, Reason.AMOUNT_TOO_LARGE)
        check(agreement.used[self.today()] + moved.points <= terms.daily_cap, Reason.OVER_DAILY_CAP)
        check(self.balances[i.member, i.program] >= moved.points, Reason.INSUFFICIENT_POINTS)
        check(payer.can_pay(moved.settled + fee), Reason.INSUFFICIENT_LIQUIDITY)
        agreement.used[self.today()] += moved.points
        self._pay(terms.source_merchant, terms.target_merchant, moved.settled)
        self._pay(terms.source_merchant, OPERATOR_MERCHANT, fee)
        return replace(moved, fee=fee, agreement=i.agreement)

    def _reverse(self, merchant: int, i: Instruction, evidence: Evidence | None) -> Movement:
        original = self._proven_entry(i, evidence)
        check(original.kind != Kind.REVERSE, Reason.NOT_REVERSIBLE)
        before, after = self.reversed[i.link], self.reversed[i.link] + i.points
        check(after <= original.points, Reason.OVER_REVERSAL)
        if original.agreement:
            # Cumulative and rounded up, so that the parts add up to exactly the whole and the network never gives too much.
            out = _share_up(original.out, after, original.points) - _share_up(original.out, before, original.points)
            share = Fraction(out, original.out) if original.out else Fraction(i.points, original.points)
            settled = int(original.settled * share)
            fee = self._fee_to_return(original, before, after)
            self._undo_conversion(merchant, original, Movement(i.points, out, settled, fee))
        else:
            out = settled = fee = 0
            self._undo_own(merchant, original, i.points)
        self.reversed[i.link] = after
        return Movement(i.points, out, settled, fee, agreement=original.agreement)

    def _fee_to_return(self, original: Entry, before: int, after: int) -> int:
        """The part of the original's fee that the giver pays back: none, unless it had initiated the original itself."""
        if original.merchant == self.agreements[original.agreement].terms.source_merchant:
            return 0
        so_far, without = (_share_up(original.fee, points, original.points) for points in (after, before))
        return so_far - without

    def _proven_entry(self, i: Instruction, evidence: Evidence | None) -> Entry:
        """The signed entry (`link`), if the evidence proves that it was posted and the instruction is about the same points."""
        if evidence is None:
            raise Refused(Reason.UNKNOWN_ENTRY)
        entry = evidence.entry
        root = self.roots.get(entry.batch, ZERO_WORD)
        proven = root != ZERO_WORD and root_of_proof(entry.leaf(), evidence.proof) == root
        same = (entry.leaf(), entry.member, entry.program) == (i.link, i.member, i.program)
        check(proven and same, Reason.UNKNOWN_ENTRY)
        return entry

    def _undo_own(self, merchant: int, original: Entry, points: int) -> None:
        """Undoes an issue, redeem, expire or transfer; all of them are the program's merchant's own."""
        member, number = original.member, original.program
        program = self.programs[number]
        check(program.merchant == merchant, Reason.NOT_GIVER)
        check(not program.paused, Reason.PROGRAM_PAUSED)
        if original.kind == Kind.ISSUE:
            check(self.balances[member, number] >= points, Reason.INSUFFICIENT_POINTS)
            self._burn(member, number, points, "revoked")
        elif original.kind == Kind.TRANSFER:
            recipient = _address(original.link)
            check(self.balances[recipient, number] >= points, Reason.INSUFFICIENT_POINTS)
            self.balances[recipient, number] -= points
            self.balances[member, number] += points
        else:
            check(program.can_mint(points), Reason.SUPPLY_OVERFLOW)
            self._mint(member, number, points, "restored")

    def _undo_conversion(self, merchant: int, original: Entry, moved: Movement) -> None:
        """Source points come back, target points go, and who was paid pays back; the operator keeps its fee.

        What was used of today's cap comes back too. A successor keeps what it inherited.
        """
        agreement = self.agreements[original.agreement]
        terms = agreement.terms
        source, target = self.programs[terms.source_program], self.programs.get(terms.target_program)
        check(merchant == terms.target_merchant, Reason.NOT_GIVER)
        check(not source.paused and not (target and target.paused), Reason.PROGRAM_PAUSED)
        check(source.can_mint(moved.points), Reason.SUPPLY_OVERFLOW)
        check(self.balances[original.member, terms.target_program] >= moved.out, Reason.INSUFFICIENT_POINTS)
        check(self.merchants[merchant].can_pay(moved.settled + moved.fee), Reason.INSUFFICIENT_LIQUIDITY)
        self._mint(original.member, terms.source_program, moved.points, "restored")
        if moved.out:
            self._burn(original.member, terms.target_program, moved.out, "revoked")
        self._pay(terms.target_merchant, terms.source_merchant, moved.settled + moved.fee)
        if self.day_of[original.batch] == self.today():
            agreement.used[self.today()] -= moved.points

    # ---------------------------------------------------------------- what instructions share

    def _check_not_suspended(self, merchant: int) -> None:
        check(self.merchants[merchant].status == Status.ACTIVE, Reason.MERCHANT_SUSPENDED)

    def _own_program(self, merchant: int, number: int) -> Program:
        program = self.programs.get(number)
        if program is None or program.merchant != merchant:
            raise Refused(Reason.NOT_PROGRAM_MERCHANT)
        check(not program.paused, Reason.PROGRAM_PAUSED)
        return program

    def _usable_agreement(self, merchant: int, i: Instruction, kind: int) -> Agreement:
        agreement = self.agreements.get(i.agreement)
        if agreement is None or (agreement.terms.kind, agreement.terms.source_program) != (kind, i.program):
            raise Refused(Reason.WRONG_AGREEMENT)
        t = agreement.terms
        check(t.valid_from <= self.now < t.valid_until, Reason.AGREEMENT_NOT_LIVE)
        by_source = merchant == t.source_merchant and bool(t.initiators & SOURCE_MAY_INITIATE)
        by_target = merchant == t.target_merchant and bool(t.initiators & TARGET_MAY_INITIATE)
        check(by_source or by_target, Reason.NOT_INITIATOR)
        self._check_not_suspended(merchant)
        counterparty = t.target_merchant if by_source else t.source_merchant
        check(self.merchants[counterparty].status == Status.ACTIVE, Reason.COUNTERPARTY_INACTIVE)
        programs = [self.programs[number] for number in (t.source_program, t.target_program) if number]
        check(not any(program.paused for program in programs), Reason.PROGRAM_PAUSED)
        check(i.points <= t.max_points, Reason.OVER_INSTRUCTION_CAP)
        return agreement

    def _mint(self, member: str, program: int, points: int, total: str) -> None:
        self.balances[member, program] += points
        self.programs[program].totals[total] += points

    def _burn(self, member: str, program: int, points: int, total: str) -> None:
        self.balances[member, program] -= points
        self.programs[program].totals[total] += points


def _compact(signature: bytes) -> bytes:
    """The compact form of a signature in the usual form of 65 bytes; nothing, if it is not one."""
    well_formed = len(signature) == 65 and signature[64] in (27, 28)
    return signature_bytes(signature.hex()) if well_formed else b""


def _signer(digest: bytes, signature: bytes) -> str:
    return _signer_of_compact(digest, _compact(signature))


def _signer_of_compact(digest: bytes, compact: bytes) -> str:
    """Address of the key that made a signature; the zero address, which is nobody's, if it is none."""
    try:
        return recover_signer(digest, compact).lower()
    except ValueError:
        return ZERO_ADDRESS


def _route(t: AgreementTerms) -> tuple[int, ...]:
    """What a superseding agreement has in common with the one it replaces."""
    return t.kind, t.source_merchant, t.target_merchant, t.source_program, t.target_program


def _share_up(whole: int, part: int, total: int) -> int:
    return ceil(Fraction(whole * part, total))


def _is_address(link: bytes) -> bool:
    return link[:12] == bytes(12)


def _address(link: bytes) -> str:
    return "0x" + link[12:].hex()
