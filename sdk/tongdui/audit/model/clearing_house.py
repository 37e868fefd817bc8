"""The clearing house in plain Python: every rule of the contract with dictionaries and integers, slow and easy to read.

Written from DESIGN.md and the NatSpec of `IClearingHouse.sol`. A call does here what it does on chain: it appends the same events
to `events`, raises `Reverted` with the same custom error, and refuses orders and instructions with the same `Reason`, looked for in
the same order. Words and hashes come from the SDK, which owns the wire protocol. Time is whatever the caller sets `now` to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from fractions import Fraction
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
from ..leaves import Leaf
from ..tables import Table, Tables
from . import succession
from .records import (
    Agreement,
    Cap,
    Key,
    Merchant,
    Movement,
    Predecessor,
    Program,
    Refused,
    Reverted,
    Role,
    SignerChange,
    Stage,
    Status,
    Totals,
    Use,
    check,
    require,
)

OPERATOR_MERCHANT = 0
FOREVER = 2**40 - 1
MAX_CREDIT_LIMIT = 2**63 - 1
MAX_FUNDS = 2**94
MAX_BATCH = 2**16 - 1
MAX_GRACE = 7 * 86_400
CAP_NOTICE_DAYS = 2
"""How many network days after its announcement a higher cap counts."""
BPS = 10_000
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of the curve secp256k1."""
EXCHANGE, ACCEPTANCE = 1, 2
SOURCE_MAY_INITIATE, TARGET_MAY_INITIATE = 1, 2

Event = tuple[str, tuple[Any, ...]]
FindEvidence = Callable[[Instruction], Evidence | None]


class ClearingHouse:
    """All state of the network, and the calls that change it. `by` is the account that makes the call."""

    def __init__(
        self,
        domain: Domain,
        admin: str,
        operator_name: bytes,
        utc_offset: int,
        now: int,
        tables: Tables | None = None,
    ) -> None:
        """Founds the network, or goes on with what the tables remember of it. Without tables it remembers in memory."""
        tables = Tables() if tables is None else tables
        self.tables = tables
        self.domain = domain
        self.utc_offset = utc_offset
        self.now = now
        self.merchants: Table[int, Merchant] = tables.table("merchants", load=_merchant)
        self.keys: Table[str, Key] = tables.table("keys", load=lambda stored: Key(*stored))
        self.programs: Table[int, Program] = tables.table("programs", load=_program)
        self.agreements: Table[int, Agreement] = tables.table("agreements", load=_agreement, dump=_stored_agreement)
        self.use: Table[int, Use] = tables.table("use", default=Use(), load=lambda stored: Use(*stored))  # by agreement
        self.registered: Table[bytes, int] = tables.table(
            "registered", default=0
        )  # digest of signed terms -> agreement
        self.roles: Table[tuple[int, str], bool] = tables.table("roles", default=False)
        self.balances: Table[tuple[str, int], int] = tables.table("balances", default=0)  # (member, program) -> points
        self.bank_refs: Table[bytes, bool] = tables.table("bank references", default=False)
        self.nonces: Table[tuple[int, int], int] = tables.table(
            "nonces", default=0
        )  # (merchant, nonce // 256) -> a bit each
        self.reversed: Table[bytes, int] = tables.table("reversed", default=0)  # leaf -> source points reversed so far
        self.roots: Table[int, bytes] = tables.table("roots")  # by batch; 32 zero bytes for one without entries
        self.day_of: Table[int, int] = tables.table("days")  # network day by batch
        self.names: Table[int, bytes] = tables.table("names", default=ZERO_WORD)  # of merchants
        self.differences: Table[int, int] = tables.table(
            "differences", default=0
        )  # sum -> what is missing, of an import
        self.imported_keys: Table[tuple[int, bytes], bool] = tables.table("imported keys", default=False)
        self.one: Table[str, Any] = tables.table("one of a kind")
        self.events: list[Event] = []
        if "head" not in self.one:
            self._found(admin, operator_name)

    def _found(self, admin: str, operator_name: bytes) -> None:
        self.one["admin"], self.one["pending admin"] = admin, ZERO_ADDRESS
        self.one["paused"] = False
        self.one["funds"] = 0  # deposits - withdrawals
        self.one["head"] = ZERO_WORD
        self.one["merchants"] = self.one["programs"] = self.one["agreements"] = self.one["batches"] = 0
        self.one["first batch of the day"] = 0
        self.one["stage"] = Stage.OPERATING
        self.one["predecessor"] = tuple(Predecessor())
        self.one["imported"] = self.one["unbalanced"] = 0
        self.emit("OwnershipTransferred", ZERO_ADDRESS, admin)
        self._add_merchant(OPERATOR_MERCHANT, 0, operator_name)

    @property
    def admin(self) -> str:
        """The owner."""
        return self.one["admin"]  # type: ignore[no-any-return]

    @property
    def network_paused(self) -> bool:
        """Whether no batch may be executed."""
        return self.one["paused"]  # type: ignore[no-any-return]

    @property
    def stage(self) -> Stage:
        """Whether the house works, imports, or has ended."""
        return Stage(self.one["stage"])

    @property
    def predecessor(self) -> Predecessor:
        """Whose state it took over."""
        return Predecessor(*self.one["predecessor"])

    @property
    def funds(self) -> int:
        """Deposits minus withdrawals, in micros."""
        return self.one["funds"]  # type: ignore[no-any-return]

    @property
    def head(self) -> bytes:
        """The head of the journal."""
        return self.one["head"]  # type: ignore[no-any-return]

    def count(self, of: str) -> int:
        """How many there are of `merchants`, `programs`, `agreements` or `batches`."""
        return self.one[of]  # type: ignore[no-any-return]

    def is_used(self, merchant: int, nonce: int) -> bool:
        """Whether a nonce is used up."""
        return bool(self.nonces[merchant, nonce >> 8] >> (nonce & 255) & 1)

    def used_nonces(self) -> set[tuple[int, int]]:
        """All nonces that are used up, with their merchants."""
        pages = self.nonces.stored()
        return {(m, page << 8 | bit) for (m, page), bits in pages for bit in range(256) if bits >> bit & 1}

    def take_events(self) -> list[Event]:
        """The events since this was last asked."""
        taken, self.events = self.events, []
        return taken

    def today(self) -> int:
        """Days since 1970-01-01 in the network's time zone."""
        return (self.now + self.utc_offset) // 86_400

    def state(self) -> dict[str, Any]:
        """All there is to know, for comparison; what is zero is left out."""
        today = self.today()
        merchants, programs = dict(self.merchants.stored()), dict(self.programs.stored())
        agreements = dict(self.agreements.stored())
        return {
            "merchants": {n: (m.status, m.position, m.credit_limit) for n, m in merchants.items()},
            "keys": {key: tuple(k) for key, k in self.keys.stored()},
            "programs": {n: (p.merchant, p.paused, p.code, p.name) for n, p in programs.items()},
            "totals": {n: tuple(p.totals) for n, p in programs.items()},
            "caps": {n: _cap_seen(p.cap, today) for n, p in programs.items()},
            "supplies": {n: p.supply() for n, p in programs.items()},
            "agreements": {n: astuple(a.terms) for n, a in agreements.items()},
            "used today": {n: self.use[n].on(today) for n in agreements},
            "balances": dict(self.balances.stored()),
            "reversed": dict(self.reversed.stored()),
            "nonces": self.used_nonces(),
            "bank references": {ref for ref, _ in self.bank_refs.stored()},
            "funds": self.funds,
            "roots": dict(self.roots.stored()),
            "head": self.head,
            "today": today,
            "paused": self.network_paused,
        }

    def emit(self, event: str, *args: Any) -> None:
        """Says what happened."""
        self.events.append((event, args))

    def _require_role(self, by: str, role: Role) -> None:
        require(self.roles[role, by], "MissingRole", role, by)
        if role != Role.SEQUENCER:  # whom the pause stops
            self._require_operating()

    def _require_operating(self) -> None:
        require(self.stage == Stage.OPERATING, "WrongStage", self.stage)

    def _require_running(self) -> None:
        require(not self.network_paused, "EnforcedPause")

    # ---------------------------------------------------------------- registry

    def set_role(self, by: str, role: Role, account: str, held: bool) -> None:
        require(by == self.admin, "OwnableUnauthorizedAccount", by)
        self.roles[role, account] = held
        self.emit("RoleChanged", role, account, held)

    def register_merchant(self, by: str, merchant: int, name: bytes, key: str, credit_limit: int) -> None:
        self._require_role(by, Role.OPERATOR)
        self._require_running()
        require(merchant == self.count("merchants"), "UnexpectedId", merchant, self.count("merchants"))
        require(credit_limit <= MAX_CREDIT_LIMIT, "BadCreditLimit", merchant, credit_limit, 0)
        self._check_key(merchant, key, 0, FOREVER)
        self._add_merchant(merchant, credit_limit, name)
        self._set_key(merchant, key, 0, FOREVER)

    def _add_merchant(self, merchant: int, credit_limit: int, name: bytes) -> None:
        self.merchants[merchant] = Merchant(credit_limit)
        self.names[merchant] = name
        self.one["merchants"] = merchant + 1
        self.emit("MerchantRegistered", merchant, credit_limit, name)

    def set_merchant_status(self, by: str, merchant: int, status: Status) -> None:
        self._require_role(by, Role.OPERATOR)
        old = self._known_merchant(merchant).status
        possible = old != Status.CLOSED and status not in (Status.NONE, old) and merchant != OPERATOR_MERCHANT
        require(possible, "BadStatusChange", merchant, old, status)
        if status == Status.ACTIVE:
            self._require_running()
        self.merchants[merchant] = self.merchants[merchant]._replace(status=status)
        self.emit("MerchantStatusChanged", merchant, status)

    def change_signer(self, by: str, change: SignerChange, signature: bytes, key_signature: bytes) -> None:
        self._require_running()
        merchant, key, valid_from, valid_until, nonce = change
        digest = signer_change_digest(self.domain, *change)
        self._require_signature(merchant, digest, signature)
        require(key in self.keys or _signer(digest, key_signature) == key, "KeyNotProven", key)
        require(not self.is_used(merchant, nonce), "NonceAlreadyUsed", merchant, nonce)
        self._check_key(merchant, key, valid_from, valid_until)
        self.use_nonce(merchant, nonce)
        self._set_key(merchant, key, valid_from, valid_until, nonce)

    def revoke_signer(self, by: str, key: str, valid_until: int) -> None:
        self._require_role(by, Role.OPERATOR)
        require(key in self.keys, "KeyUnknown", key)
        old = self.keys[key]
        require(0 < valid_until < old.valid_until, "BadWindow", old.valid_from, valid_until)
        self._set_key(old.merchant, key, old.valid_from, valid_until)

    def recover_signer(self, by: str, merchant: int, key: str) -> None:
        require(by == self.admin, "OwnableUnauthorizedAccount", by)
        self._require_operating()
        self._require_open(merchant)
        self._check_key(merchant, key, self.now, FOREVER)
        self._set_key(merchant, key, self.now, FOREVER)

    def register_program(self, by: str, program: int, merchant: int, code: bytes, name: bytes) -> None:
        self._require_role(by, Role.OPERATOR)
        self._require_running()
        require(program == self.count("programs") + 1, "UnexpectedId", program, self.count("programs") + 1)
        self._require_active(merchant)
        self.programs[program] = Program(merchant, code, name)
        self.one["programs"] = program
        self.emit("ProgramRegistered", program, merchant, code, name)

    def set_issuance_cap(self, by: str, number: int, points: int) -> None:
        self._require_role(by, Role.OPERATOR)
        program, today = self._known_program(number), self.today()
        before = program.cap.on(today)
        raises = before > 0 and (points == 0 or points > before)
        if raises:
            self._require_running()
        from_day = today + CAP_NOTICE_DAYS if raises else today
        self.programs[number] = program._replace(cap=program.cap.changed(points, today, from_day))
        self.emit("IssuanceCapChanged", number, points, from_day)

    def set_program_paused(self, by: str, program: int, paused: bool) -> None:
        self._require_role(by, Role.PAUSER)
        self.programs[program] = self._known_program(program)._replace(paused=paused)
        self.emit("ProgramPauseChanged", program, paused)

    def pause(self, by: str) -> None:
        self._require_role(by, Role.PAUSER)
        require(not self.network_paused, "EnforcedPause")
        self.one["paused"] = True
        self.emit("Paused", by)

    def unpause(self, by: str) -> None:
        self._require_role(by, Role.PAUSER)
        require(self.network_paused, "ExpectedPause")
        self.one["paused"] = False
        self.emit("Unpaused", by)

    def _known_merchant(self, merchant: int) -> Merchant:
        require(merchant in self.merchants, "UnknownMerchant", merchant)
        return self.merchants[merchant]

    def _require_open(self, merchant: int) -> None:
        """A closed merchant signs nothing, and gets no key."""
        status = self._known_merchant(merchant).status
        require(status != Status.CLOSED, "MerchantInactive", merchant, status)

    def _require_active(self, merchant: int) -> None:
        status = self._known_merchant(merchant).status
        require(status == Status.ACTIVE, "MerchantInactive", merchant, status)

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
        self.emit("SignerChanged", merchant, key, valid_from, valid_until, nonce)

    def _is_live(self, key: str, merchant: int) -> bool:
        """Whether it is a key that may sign for `merchant` now."""
        found = self.keys.get(key)
        return found is not None and found.merchant == merchant and found.valid_from <= self.now < found.valid_until

    def _require_signature(self, merchant: int, digest: bytes, signature: bytes) -> None:
        self._require_open(merchant)
        require(self._is_live(_signer(digest, signature), merchant), "BadSignature", merchant)

    def use_nonce(self, merchant: int, nonce: int) -> None:
        """Uses up a nonce."""
        self.nonces[merchant, nonce >> 8] |= 1 << (nonce & 255)

    def transfer_ownership(self, by: str, new: str) -> None:
        require(by == self.admin, "OwnableUnauthorizedAccount", by)
        self.one["pending admin"] = new
        self.emit("OwnershipTransferStarted", by, new)

    def accept_ownership(self, by: str) -> None:
        require(by == self.one["pending admin"], "OwnableUnauthorizedAccount", by)
        self.emit("OwnershipTransferred", self.admin, by)
        self.one["admin"], self.one["pending admin"] = by, ZERO_ADDRESS

    def renounce_ownership(self, by: str) -> None:
        raise Reverted("OwnerNeeded")

    # ---------------------------------------------------------------- succession

    def freeze(self, by: str) -> None:
        succession.freeze(self, by)

    def begin_import(self, by: str, predecessor: Predecessor) -> None:
        succession.begin_import(self, by, predecessor)

    def import_leaves(self, by: str, first: int, leaves: Sequence[Leaf], proof: Sequence[bytes]) -> None:
        succession.import_leaves(self, first, leaves, proof)

    def open(self, by: str) -> None:
        succession.open_house(self, by)

    # ---------------------------------------------------------------- agreements

    def register_agreement(
        self, by: str, number: int, terms: AgreementTerms, source_signature: bytes, target_signature: bytes
    ) -> None:
        self._require_role(by, Role.OPERATOR)
        self._require_running()
        require(number == self.count("agreements") + 1, "UnexpectedId", number, self.count("agreements") + 1)
        self._check_terms(terms)
        digest = terms.digest(self.domain)
        require(not self.registered[digest], "AlreadyRegistered", digest, self.registered[digest])
        self._require_signature(terms.source_merchant, digest, source_signature)
        self._require_signature(terms.target_merchant, digest, target_signature)
        self.agreements[number] = Agreement(terms)
        self.one["agreements"] = number
        self.registered[digest] = number
        self.emit("AgreementRegistered", number, digest, astuple(terms), source_signature, target_signature)
        if terms.supersedes:
            self.use[number] = Use(self.today(), self.use[terms.supersedes].on(self.today()))
            begin = max(terms.valid_from, self.now)  # until then the old terms stay in force
            self._end(terms.supersedes, begin + terms.grace_seconds, successor=number)

    def terminate_agreement(self, by: str, number: int, effective_at: int, merchant: int, signature: bytes) -> None:
        self._require_operating()
        terms = self._known_agreement(number).terms
        require(merchant in (terms.source_merchant, terms.target_merchant), "BadSignature", merchant)
        self._require_signature(merchant, termination_digest(self.domain, number, effective_at), signature)
        self._end(number, effective_at, successor=0)

    def _end(self, number: int, when: int, successor: int) -> None:
        """An end never lies in the past, and never moves away."""
        terms = self.agreements[number].terms
        valid_until = min(max(when, self.now), terms.valid_until)
        self.end_at(number, valid_until)
        self.emit("AgreementEnds", number, valid_until, successor)

    def end_at(self, number: int, valid_until: int) -> None:
        """Sets the end of an agreement."""
        self.agreements[number] = Agreement(replace(self.agreements[number].terms, valid_until=valid_until))

    def _known_agreement(self, number: int) -> Agreement:
        require(number in self.agreements, "UnknownAgreement", number)
        return self.agreements[number]

    def _check_terms(self, t: AgreementTerms) -> None:
        self._require_active(t.source_merchant)
        self._require_active(t.target_merchant)
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
        self._require_running()
        m = self._known_merchant(merchant)
        covers = micros <= MAX_CREDIT_LIMIT and m.position >= -micros
        require(covers, "BadCreditLimit", merchant, micros, m.position)
        self.merchants[merchant] = m._replace(credit_limit=micros)
        self.emit("CreditLimitChanged", merchant, micros)

    def deposit(self, by: str, merchant: int, micros: int, bank_ref: bytes) -> None:
        self._book(by, merchant, micros, bank_ref)
        require(self.funds + micros <= MAX_FUNDS, "AmountOutOfRange", micros)
        self.move_money(merchant, micros, bank_ref)
        self.emit("Deposited", merchant, micros, bank_ref)

    def withdraw(self, by: str, merchant: int, micros: int, bank_ref: bytes) -> None:
        m = self._book(by, merchant, micros, bank_ref)
        require(m.position >= micros, "PositionTooLow", merchant, m.position, micros)
        require(self.funds >= micros, "FundsTooLow", self.funds, micros)
        self.move_money(merchant, -micros, bank_ref)
        self.emit("Withdrawn", merchant, micros, bank_ref)

    def _book(self, by: str, merchant: int, micros: int, bank_ref: bytes) -> Merchant:
        """What deposits and withdrawals check alike."""
        self._require_role(by, Role.TREASURY)
        self._require_running()
        m = self._known_merchant(merchant)
        require(micros != 0, "ZeroAmount")
        require(not self.bank_refs[bank_ref], "BankRefUsed", bank_ref)
        return m

    def move_money(self, merchant: int, micros: int, bank_ref: bytes) -> None:
        """Books money at the settlement bank; negative micros went out."""
        self.change_position(merchant, micros)
        self.one["funds"] += micros
        self.bank_refs[bank_ref] = True

    def pay(self, payer: int, payee: int, micros: int) -> None:
        """Moves micros from one merchant's position to another's."""
        self.change_position(payer, -micros)
        self.change_position(payee, micros)

    def change_position(self, merchant: int, micros: int) -> None:
        """Adds micros to a merchant's position."""
        m = self.merchants[merchant]
        self.merchants[merchant] = m._replace(position=m.position + micros)

    # ---------------------------------------------------------------- execution

    def execute(self, by: str, orders: Sequence[SignedOrder], evidence_of: FindEvidence) -> None:
        """Executes a batch. `evidence_of` gives the evidence that the sequencer attached to a reversal, if any."""
        self.begin_batch(by, sum(len(signed.order.instructions) for signed in orders))
        leaves: list[bytes] = []
        for signed in orders:
            digest = signed.order.digest(self.domain)
            signer = _signer_of_compact(digest, signed.signature)
            leaves += self.execute_order(signed.order, digest, signer, len(leaves), evidence_of)
        self.close_batch(leaves)

    def begin_batch(self, by: str, instructions: int) -> None:
        """Reverts unless a batch with so many instructions may be executed."""
        self._require_role(by, Role.SEQUENCER)
        self._require_running()
        require(instructions <= MAX_BATCH, "BatchTooLarge", instructions)

    def close_batch(self, leaves: Sequence[bytes]) -> None:
        """Closes the batch with the leaves of its entries."""
        batch, root = self.count("batches") + 1, merkle_root(leaves)
        self.add_batch(batch, root, chain_head(self.head, batch, len(leaves), root))
        self.emit("BatchClosed", batch, len(leaves), root, self.head)

    def add_batch(self, batch: int, root: bytes, head: bytes) -> None:
        """Adds the next batch to the journal."""
        today = self.today()
        if self.day_of.get(batch - 1) != today:
            self.one["first batch of the day"] = batch
        self.one["batches"], self.one["head"] = batch, head
        self.roots[batch], self.day_of[batch] = root, today

    def execute_order(
        self, order: Order, digest: bytes, signer: str, index: int, evidence_of: FindEvidence
    ) -> list[bytes]:
        """Executes one order of the next batch.

        Args:
            order: The order.
            digest: Its EIP-712 digest.
            signer: Whose key made its signature, in lower case; anything else where it is nobody's.
            index: The place that its first entry gets in the batch.
            evidence_of: Gives the evidence that the sequencer attached to a reversal, if any.

        Returns:
            The leaves of its entries.
        """
        reason = self._admit(order, signer)
        if reason is not Reason.NONE:
            self.emit("OrderRejected", order.merchant, order.nonce, digest, reason)
            return []
        self.use_nonce(order.merchant, order.nonce)
        if not order.atomic:
            return self._execute_each(order, index, evidence_of)
        leaves: list[bytes] = []
        began = len(self.events)
        with self.tables.attempt() as take_back:
            for item, instruction in enumerate(order.instructions):
                try:
                    leaves.append(self._post(order, item, instruction, index + item, evidence_of))
                except Refused as refused:
                    take_back()  # as if it had never begun
                    del self.events[began:]
                    self.emit("InstructionRejected", order.merchant, order.nonce, item, refused.reason)
                    self.emit("OrderRejected", order.merchant, order.nonce, digest, Reason.ATOMIC_FAILED)
                    return []
        return leaves

    def _execute_each(self, order: Order, index: int, evidence_of: FindEvidence) -> list[bytes]:
        leaves: list[bytes] = []
        for item, instruction in enumerate(order.instructions):
            try:
                leaves.append(self._post(order, item, instruction, index + len(leaves), evidence_of))
            except Refused as refused:
                self.emit("InstructionRejected", order.merchant, order.nonce, item, refused.reason)
        return leaves

    def _admit(self, order: Order, signer: str) -> Reason:
        if not self._is_live(signer, order.merchant):
            return Reason.UNKNOWN_SIGNER
        if self.now > order.deadline:
            return Reason.DEADLINE_PASSED
        if self.merchants[order.merchant].status == Status.CLOSED:
            return Reason.MERCHANT_CLOSED
        if not order.instructions:
            return Reason.EMPTY_ORDER
        if self.is_used(order.merchant, order.nonce):
            return Reason.NONCE_USED
        return Reason.NONE

    def _post(self, order: Order, item: int, i: Instruction, index: int, evidence_of: FindEvidence) -> bytes:
        """Applies an instruction, records the entry, and returns its leaf."""
        moved = self._apply(order.merchant, i, evidence_of)
        entry = Entry(
            batch=self.count("batches") + 1,
            index=index,
            merchant=order.merchant,
            nonce=order.nonce,
            item=item,
            kind=i.kind,
            expiry_day=moved.expiry_day,
            program=i.program,
            agreement=moved.agreement,
            member=i.member,
            points=moved.points,
            out=moved.out,
            settled=moved.settled,
            fee=moved.fee,
            ref=i.ref,
            link=i.link,
        )
        self.emit("EntryPosted" if i.link == ZERO_WORD else "LinkedEntryPosted", entry)
        return entry.leaf()

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
        check(program.cap.leaves(i.points, self.today()), Reason.OVER_ISSUANCE_CAP)
        self.mint(i.member, i.program, i.points, "issued")
        self.count_issued(i.program, i.points)
        return Movement(i.points, expiry_day=i.expiry_day)

    def _burn_own(self, merchant: int, i: Instruction) -> Movement:
        self._own_program(merchant, i.program)
        check(self.balances[i.member, i.program] >= i.points, Reason.INSUFFICIENT_POINTS)
        self.burn(i.member, i.program, i.points, "redeemed" if i.kind == Kind.REDEEM else "expired")
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
        out = i.points * terms.rate_num // terms.rate_den
        check(out > 0 and out >= i.min_out, Reason.BELOW_MINIMUM)
        check(self.programs[terms.target_program].can_mint(out), Reason.SUPPLY_OVERFLOW)
        points = _divide_up(out * terms.rate_den, terms.rate_num)
        moved = self._settle(i, agreement, Movement(points, out, settled=out * terms.unit_price_micros))
        self.burn(i.member, terms.source_program, points, "exchanged_out")
        self.mint(i.member, terms.target_program, out, "exchanged_in")
        expiry_day = self.today() + terms.lifetime_days if terms.lifetime_days else 0
        return replace(moved, expiry_day=expiry_day)

    def _spend(self, merchant: int, i: Instruction) -> Movement:
        agreement = self._usable_agreement(merchant, i, ACCEPTANCE)
        settled = i.points * agreement.terms.unit_price_micros
        moved = self._settle(i, agreement, Movement(i.points, settled=settled))
        self.burn(i.member, i.program, i.points, "spent")
        return moved

    def _settle(self, i: Instruction, agreement: Agreement, moved: Movement) -> Movement:
        """Checks the member's points, the cap and the money; then the source merchant pays the target merchant and the fee."""
        terms = agreement.terms
        fee = _divide_up(moved.settled * terms.fee_bps, BPS)
        used = self.use[i.agreement].on(self.today()) + moved.points
        payer = self.merchants[terms.source_merchant]
        check(moved.settled <= UINT64_MAX, Reason.AMOUNT_TOO_LARGE)
        check(used <= terms.daily_cap, Reason.OVER_DAILY_CAP)
        check(self.balances[i.member, i.program] >= moved.points, Reason.INSUFFICIENT_POINTS)
        check(payer.can_pay(moved.settled + fee), Reason.INSUFFICIENT_LIQUIDITY)
        self.use[i.agreement] = Use(self.today(), used)
        self.pay(terms.source_merchant, terms.target_merchant, moved.settled)
        self.pay(terms.source_merchant, OPERATOR_MERCHANT, fee)
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
            self.burn(member, number, points, "revoked")
        elif original.kind == Kind.TRANSFER:
            recipient = _address(original.link)
            check(self.balances[recipient, number] >= points, Reason.INSUFFICIENT_POINTS)
            self.balances[recipient, number] -= points
            self.balances[member, number] += points
        else:
            check(program.can_mint(points), Reason.SUPPLY_OVERFLOW)
            self.mint(member, number, points, "restored")

    def _undo_conversion(self, merchant: int, original: Entry, moved: Movement) -> None:
        """Source points come back, target points go, and who was paid pays back; the operator keeps its fee.

        What was used of today's cap comes back too. A successor keeps what it inherited.
        """
        terms = self.agreements[original.agreement].terms
        source, target = self.programs[terms.source_program], self.programs.get(terms.target_program)
        check(merchant == terms.target_merchant, Reason.NOT_GIVER)
        check(not source.paused and not (target and target.paused), Reason.PROGRAM_PAUSED)
        check(source.can_mint(moved.points), Reason.SUPPLY_OVERFLOW)
        check(self.balances[original.member, terms.target_program] >= moved.out, Reason.INSUFFICIENT_POINTS)
        check(self.merchants[merchant].can_pay(moved.settled + moved.fee), Reason.INSUFFICIENT_LIQUIDITY)
        self.mint(original.member, terms.source_program, moved.points, "restored")
        if moved.out:
            self.burn(original.member, terms.target_program, moved.out, "revoked")
        self.pay(terms.target_merchant, terms.source_merchant, moved.settled + moved.fee)
        self.give_back_use(original, moved.points)

    def give_back_use(self, original: Entry, points: int) -> None:
        """Gives back what a conversion used of the day's cap, if that day is today."""
        if self.day_of.get(original.batch) == self.today():
            use = self.use[original.agreement]
            self.use[original.agreement] = use._replace(points=use.points - points)

    # ---------------------------------------------------------------- what instructions share

    def _check_not_suspended(self, merchant: int) -> None:
        check(self.merchants[merchant].status == Status.ACTIVE, Reason.MERCHANT_SUSPENDED)

    def _own_program(self, merchant: int, number: int) -> Program:
        program: Program | None = self.programs.get(number)
        if program is None or program.merchant != merchant:
            raise Refused(Reason.NOT_PROGRAM_MERCHANT)
        check(not program.paused, Reason.PROGRAM_PAUSED)
        return program

    def _usable_agreement(self, merchant: int, i: Instruction, kind: int) -> Agreement:
        agreement: Agreement | None = self.agreements.get(i.agreement)
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

    def mint(self, member: str, number: int, points: int, total: str) -> None:
        """Adds points to a balance and to one of the program's totals."""
        self.balances[member, number] += points
        self._count(number, total, points)

    def burn(self, member: str, number: int, points: int, total: str) -> None:
        """Takes points from a balance, and adds them to one of the program's totals."""
        self.balances[member, number] -= points
        self._count(number, total, points)

    def _count(self, number: int, total: str, points: int) -> None:
        program = self.programs[number]
        self.programs[number] = program._replace(totals=program.totals.plus(total, points))

    def count_issued(self, number: int, points: int) -> None:
        """Counts points in the day's use of a program's cap, if it has one."""
        program = self.programs[number]
        self.programs[number] = program._replace(cap=program.cap.with_use(points, self.today()))


def _merchant(stored: Sequence[Any]) -> Merchant:
    return Merchant(stored[0], stored[1], Status(stored[2]))


def _program(stored: Sequence[Any]) -> Program:
    merchant, code, name, paused, totals, cap = stored
    return Program(merchant, code, name, paused, Totals(*totals), Cap(*cap))


def _cap_seen(cap: Cap, today: int) -> tuple[int, int, int, int]:
    """A cap as the lens shows it: points, used today, and what follows from which day on."""
    follows = (cap.next_points, cap.next_day) if cap.next_day > today else (0, 0)
    return (cap.on(today), cap.used_on(today), *follows)


def _agreement(stored: Sequence[Any]) -> Agreement:
    return Agreement(AgreementTerms(*stored))


def _stored_agreement(agreement: Agreement) -> tuple[Any, ...]:
    return astuple(agreement.terms)


def _compact(signature: bytes) -> bytes:
    """The compact form of a signature in the usual form of 65 bytes; nothing, if it is not one."""
    well_formed = len(signature) == 65 and signature[64] in (27, 28) and _is_low(signature[32:64])
    return signature_bytes(signature.hex()) if well_formed else b""


def _is_low(s: bytes) -> bool:
    """Whether it is the smaller of the two numbers that make a signature valid: a contract takes no other."""
    return int.from_bytes(s, "big") <= _HALF_ORDER


def _signer(digest: bytes, signature: bytes) -> str:
    return _signer_of_compact(digest, _compact(signature))


def _signer_of_compact(digest: bytes, compact: bytes) -> str:
    """Address of the key that made a signature; the zero address, which is nobody's, if it is none."""
    if not _is_low(bytes([compact[32] & 0x7F]) + compact[33:64] if len(compact) == 64 else b""):
        return ZERO_ADDRESS
    try:
        return recover_signer(digest, compact).lower()
    except ValueError:
        return ZERO_ADDRESS


def _route(t: AgreementTerms) -> tuple[int, ...]:
    """What a superseding agreement has in common with the one it replaces."""
    return t.kind, t.source_merchant, t.target_merchant, t.source_program, t.target_program


def _share_up(whole: int, part: int, total: int) -> int:
    return _divide_up(whole * part, total)


def _divide_up(number: int, by: int) -> int:
    """The quotient, rounded up."""
    return -(-number // by)


def _is_address(link: bytes) -> bool:
    return link[:12] == bytes(12)


def _address(link: bytes) -> str:
    return "0x" + link[12:].hex()
