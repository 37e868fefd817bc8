"""The wire protocol: orders, their EIP-712 digest and signature, agreements' terms, and the calldata of a batch.

The server imports this module too: there is one definition. `contracts/libraries/Orders.sol` is its twin on the chain, and a test
holds the two (and eth-account's own EIP-712 encoder) together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, cast

from eth_account import Account
from eth_keys.datatypes import PrivateKey, Signature

from .encoding import ZERO_WORD, address_word, bytes_of, hex_of, keccak256, word
from .receipts import Evidence

UINT64_MAX = 2**64 - 1
NONCE_MAX = 2**48 - 1
NO_NONCE = 2**64 - 1
"""In `SignerChanged`: the operator or the owner changed the key, and no nonce of the merchant was used."""

MAX_INSTRUCTIONS = 1_000
"""Most instructions in one order; a larger one would not fit a transaction's gas."""

ZERO_ADDRESS = "0x" + "00" * 20

_ORDER_BYTES, _INSTRUCTION_BYTES = 82, 84
"""Of an order before its instructions, and of an instruction without a link, as they travel."""


class Kind(IntEnum):
    """What an instruction does."""

    ISSUE = 1
    REDEEM = 2
    EXCHANGE = 3
    SPEND = 4
    TRANSFER = 5
    REVERSE = 6
    EXPIRE = 7

    @property
    def label(self) -> str:
        """The word used in the API: `issue`, `redeem`, ..."""
        return self.name.lower()


class Reason(IntEnum):
    """Why the chain refused an order or an instruction; twin of the contract's `Reason`."""

    NONE = 0
    UNKNOWN_SIGNER = 1
    DEADLINE_PASSED = 2
    NONCE_USED = 3
    MERCHANT_CLOSED = 4
    ATOMIC_FAILED = 5
    UNKNOWN_KIND = 6
    MERCHANT_SUSPENDED = 7
    ZERO_POINTS = 8
    ZERO_MEMBER = 9
    NOT_PROGRAM_MERCHANT = 10
    PROGRAM_PAUSED = 11
    INSUFFICIENT_POINTS = 12
    SUPPLY_OVERFLOW = 13
    ALREADY_EXPIRED = 14
    WRONG_AGREEMENT = 15
    AGREEMENT_NOT_LIVE = 16
    NOT_INITIATOR = 17
    COUNTERPARTY_INACTIVE = 18
    OVER_INSTRUCTION_CAP = 19
    OVER_DAILY_CAP = 20
    BELOW_MINIMUM = 21
    AMOUNT_TOO_LARGE = 22
    INSUFFICIENT_LIQUIDITY = 23
    BAD_RECIPIENT = 24
    UNKNOWN_ENTRY = 25
    NOT_REVERSIBLE = 26
    NOT_GIVER = 27
    OVER_REVERSAL = 28
    EMPTY_ORDER = 29

    @property
    def code(self) -> str:
        """The stable code used in the API: `insufficient_points`, ..."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Domain:
    """The chain and contract that signatures are bound to (EIP-712 domain, name `Tongdui`, version `1`)."""

    chain_id: int
    contract: str

    @property
    def separator(self) -> bytes:
        """The EIP-712 domain separator."""
        return keccak256(
            _DOMAIN_TYPEHASH + _NAME_HASH + _VERSION_HASH + word(self.chain_id) + address_word(self.contract)
        )

    def digest(self, struct_hash: bytes) -> bytes:
        """What is signed for the typed struct with this hash."""
        return keccak256(b"\x19\x01" + self.separator + struct_hash)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One movement in an order. Points and `min_out` are whole points; `expiry_day` counts days since 1970-01-01 (0: never)."""

    kind: Kind
    member: str
    points: int
    program: int
    agreement: int = 0
    min_out: int = 0
    expiry_day: int = 0
    link: bytes = ZERO_WORD
    ref: bytes = ZERO_WORD

    def struct_hash(self) -> bytes:
        """EIP-712 struct hash."""
        return keccak256(
            _INSTRUCTION_TYPEHASH
            + word(self.kind)
            + word(self.program)
            + word(self.agreement)
            + address_word(self.member)
            + word(self.points)
            + word(self.min_out)
            + word(self.expiry_day)
            + self.link
            + self.ref
        )

    def calldata(self, evidence: int = 0) -> bytes:
        """The bytes in which it travels; `evidence` is its element in the batch's evidence (reversals only)."""
        linked = self.link != ZERO_WORD
        head = (
            bytes([linked, self.kind])
            + self.program.to_bytes(4, "big")
            + self.agreement.to_bytes(4, "big")
            + self.expiry_day.to_bytes(4, "big")
            + self.points.to_bytes(8, "big")
            + self.min_out.to_bytes(8, "big")
            + evidence.to_bytes(2, "big")
        )
        return head + address_word(self.member)[12:] + self.ref + (self.link if linked else b"")


@dataclass(frozen=True, slots=True)
class Order:
    """What one merchant signs: instructions with one nonce and one deadline (Unix seconds)."""

    merchant: int
    nonce: int
    deadline: int
    instructions: tuple[Instruction, ...]
    atomic: bool = False

    def struct_hash(self) -> bytes:
        """EIP-712 struct hash."""
        return keccak256(
            _ORDER_TYPEHASH
            + word(self.merchant)
            + word(self.nonce)
            + word(self.deadline)
            + word(self.atomic)
            + keccak256(b"".join(i.struct_hash() for i in self.instructions))
        )

    def digest(self, domain: Domain) -> bytes:
        """What the merchant signs."""
        return domain.digest(self.struct_hash())

    def typed_data(self, domain: Domain) -> dict[str, Any]:
        """The order as EIP-712 JSON, for wallets and hardware signers."""
        return {
            "types": {**_DOMAIN_TYPES, "Order": _ORDER_FIELDS, "Instruction": _INSTRUCTION_FIELDS},
            "primaryType": "Order",
            "domain": _domain_json(domain),
            "message": {
                "merchant": self.merchant,
                "nonce": self.nonce,
                "deadline": self.deadline,
                "atomic": self.atomic,
                "instructions": [
                    {
                        "kind": int(i.kind),
                        "program": i.program,
                        "agreement": i.agreement,
                        "member": i.member,
                        "points": i.points,
                        "minOut": i.min_out,
                        "expiryDay": i.expiry_day,
                        "link": i.link,
                        "ref": i.ref,
                    }
                    for i in self.instructions
                ],
            },
        }


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order with its compact signature (ERC-2098: `r`, and `s` with the parity in its top bit)."""

    order: Order
    signature: bytes

    def calldata(self, evidence: Sequence[int] = ()) -> bytes:
        """The bytes in which it travels; `evidence` has one element for each instruction (or is empty)."""
        o = self.order
        slots = evidence or (0,) * len(o.instructions)
        return (
            o.merchant.to_bytes(4, "big")
            + o.nonce.to_bytes(6, "big")
            + o.deadline.to_bytes(5, "big")
            + bytes([o.atomic])
            + len(o.instructions).to_bytes(2, "big")
            + self.signature
            + b"".join(i.calldata(slot) for i, slot in zip(o.instructions, slots, strict=True))
        )


@dataclass(frozen=True, slots=True)
class AgreementTerms:
    """What two merchants agree on and both sign; field by field the contract's `AgreementTerms`.

    `rate_num` target points are given for `rate_den` source points. `unit_price_micros` is paid by the source merchant for each
    target point (exchange) or each source point (acceptance). Times are Unix seconds.
    """

    kind: int
    initiators: int
    fee_bps: int
    lifetime_days: int
    source_merchant: int
    target_merchant: int
    source_program: int
    target_program: int
    valid_from: int
    valid_until: int
    rate_num: int
    rate_den: int
    unit_price_micros: int
    max_points: int
    daily_cap: int
    supersedes: int
    grace_seconds: int
    document: bytes

    def words(self) -> bytes:
        """The terms in standard ABI encoding (static tuple)."""
        numbers = (getattr(self, f.name) for f in fields(self)[:-1])
        return b"".join(word(n) for n in numbers) + self.document

    def struct_hash(self) -> bytes:
        """EIP-712 struct hash."""
        return keccak256(_TERMS_TYPEHASH + self.words())

    def digest(self, domain: Domain) -> bytes:
        """What both merchants sign."""
        return domain.digest(self.struct_hash())


def signer_change_digest(
    domain: Domain, merchant: int, key: str, valid_from: int, valid_until: int, nonce: int
) -> bytes:
    """What a merchant's live key signs to add, shorten or revoke one of its keys."""
    return domain.digest(
        keccak256(
            _SIGNER_CHANGE_TYPEHASH
            + word(merchant)
            + address_word(key)
            + word(valid_from)
            + word(valid_until)
            + word(nonce)
        )
    )


def termination_digest(domain: Domain, agreement: int, effective_at: int) -> bytes:
    """What either merchant signs to end an agreement early."""
    return domain.digest(keccak256(_TERMINATION_TYPEHASH + word(agreement) + word(effective_at)))


# -------------------------------------------------------------------- signatures


def sign_digest(digest: bytes, private_key: bytes) -> bytes:
    """Compact ERC-2098 signature (64 bytes) of a digest."""
    signature = PrivateKey(private_key).sign_msg_hash(digest)
    return word(signature.r) + word(signature.s | signature.v << 255)


def full_signature(compact: bytes) -> bytes:
    """The usual 65-byte form (r, s, v) of a compact signature."""
    vs = int.from_bytes(compact[32:], "big")
    return compact[:32] + word(vs & (1 << 255) - 1) + bytes([27 + (vs >> 255)])


def recover_signer(digest: bytes, compact: bytes) -> str:
    """Checksummed address that made a compact signature. Raises ValueError when it is malformed."""
    if len(compact) != 64:
        raise ValueError(f"a compact signature has 64 bytes, not {len(compact)}")
    vs = int.from_bytes(compact[32:], "big")
    r = int.from_bytes(compact[:32], "big")
    try:
        key = Signature(vrs=(vs >> 255, r, vs & (1 << 255) - 1)).recover_public_key_from_msg_hash(digest)
    except Exception as error:
        raise ValueError(f"the signature cannot be recovered: {error}") from error
    return key.to_checksum_address()


def address_of_key(private_key: bytes) -> str:
    """Checksummed address of a private key."""
    return str(Account.from_key(private_key).address)


# -------------------------------------------------------------------- calldata


def execute_calldata(
    orders: Iterable[SignedOrder | bytes], evidence_of: Callable[[Instruction], Evidence] | None = None
) -> bytes:
    """Calldata of `execute(orders, evidence)`. `evidence_of` finds the evidence of a reversal.

    An order that reverses nothing may come as the bytes in which it travels.
    """
    evidence: list[bytes] = []
    encoded: list[bytes] = []
    for signed in orders:
        if isinstance(signed, bytes):
            encoded.append(signed)
            continue
        slots = []
        for instruction in signed.order.instructions:
            slots.append(0)
            if instruction.kind is Kind.REVERSE and evidence_of is not None:
                slots[-1] = len(evidence)
                evidence.append(evidence_of(instruction).calldata())
        encoded.append(signed.calldata(slots))
    packed = b"".join(encoded)
    orders_part = word(len(packed)) + packed + bytes(-len(packed) % 32)
    return EXECUTE_SELECTOR + word(64) + word(64 + len(orders_part)) + orders_part + _dynamic_array(evidence)


def kinds_of(packed: bytes) -> Counter[int]:
    """How many instructions of each kind an order has, from the bytes in which it travels."""
    kinds: Counter[int] = Counter()
    place = _ORDER_BYTES
    while place < len(packed):
        kinds[packed[place + 1]] += 1
        place += _INSTRUCTION_BYTES + (32 if packed[place] & 1 else 0)
    return kinds


def decode_calldata(data: bytes) -> tuple[SignedOrder, ...]:
    """The orders of a batch, from the input of its transaction. Raises ValueError where it is not one."""
    try:
        if data[:4] != EXECUTE_SELECTOR:
            raise ValueError("this is no call of `execute`")
        reader = _Reader(data[4:])
        reader.take(reader.number(32) - 32)  # the first argument says where its bytes begin
        return decode_orders(reader.take(reader.number(32)))
    except EOFError as error:
        raise ValueError("the calldata is cut off") from error


def decode_orders(packed: bytes) -> tuple[SignedOrder, ...]:
    """The orders that travel in these bytes, one after another. Raises ValueError where the contract would say `BadEncoding`."""
    reader = _Reader(packed)
    orders = []
    try:
        while not reader.done():
            orders.append(_decode_order(reader))
    except EOFError as error:
        raise ValueError("the bytes end inside an order") from error
    return tuple(orders)


def _decode_order(reader: _Reader) -> SignedOrder:
    merchant, nonce, deadline, flags, count = (reader.number(size) for size in (4, 6, 5, 1, 2))
    signature = reader.take(64)
    instructions = tuple(_decode_instruction(reader) for _ in range(count))
    return SignedOrder(Order(merchant, nonce, deadline, instructions, atomic=bool(flags & 1)), signature)


def _decode_instruction(reader: _Reader) -> Instruction:
    flags, kind, program, agreement, expiry_day, points, min_out = (reader.number(n) for n in (1, 1, 4, 4, 4, 8, 8))
    reader.take(2)  # where its evidence is
    member = hex_of(reader.take(20))
    ref = reader.take(32)
    link = reader.take(32) if flags & 1 else ZERO_WORD
    known = Kind(kind) if kind in set(Kind) else cast("Kind", kind)  # the contract refuses others one by one
    return Instruction(known, member, points, program, agreement, min_out, expiry_day, link, ref)


class _Reader:
    """Takes bytes off the front; raises EOFError when there are too few."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def done(self) -> bool:
        return self._place == len(self._data)

    def take(self, size: int) -> bytes:
        part = self._data[self._place : self._place + size]
        if len(part) < size:
            raise EOFError
        self._place += size
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")


def _dynamic_array(elements: Sequence[bytes]) -> bytes:
    """ABI encoding of an array of dynamic elements: length, offsets, elements."""
    offset = 32 * len(elements)
    offsets = []
    for element in elements:
        offsets.append(word(offset))
        offset += len(element)
    return word(len(elements)) + b"".join(offsets) + b"".join(elements)


# -------------------------------------------------------------------- EIP-712 types

_INSTRUCTION_TYPE = (
    "Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut,"
    "uint32 expiryDay,bytes32 link,bytes32 ref)"
)
_ORDER_TYPE = "Order(uint32 merchant,uint48 nonce,uint40 deadline,bool atomic,Instruction[] instructions)"
_TERMS_TYPE = (
    "AgreementTerms(uint8 kind,uint8 initiators,uint16 feeBps,uint16 lifetimeDays,uint32 sourceMerchant,"
    "uint32 targetMerchant,uint32 sourceProgram,uint32 targetProgram,uint40 validFrom,uint40 validUntil,"
    "uint32 rateNum,uint32 rateDen,uint64 unitPriceMicros,uint64 maxPoints,uint64 dailyCap,uint32 supersedes,"
    "uint32 graceSeconds,bytes32 document)"
)


def _fields_of(type_string: str) -> list[dict[str, str]]:
    inside = type_string[type_string.index("(") + 1 : -1]
    pairs = (field.split(" ") for field in inside.split(","))
    return [{"name": name, "type": kind} for kind, name in pairs]


def _domain_json(domain: Domain) -> dict[str, Any]:
    return {
        "name": "Tongdui",
        "version": "1",
        "chainId": domain.chain_id,
        "verifyingContract": domain.contract,
    }


_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_DOMAIN_TYPES = {"EIP712Domain": _fields_of(_DOMAIN_TYPE)}
_ORDER_FIELDS = _fields_of(_ORDER_TYPE)
_INSTRUCTION_FIELDS = _fields_of(_INSTRUCTION_TYPE)

_DOMAIN_TYPEHASH = keccak256(_DOMAIN_TYPE.encode())
_NAME_HASH = keccak256(b"Tongdui")
_VERSION_HASH = keccak256(b"1")
_INSTRUCTION_TYPEHASH = keccak256(_INSTRUCTION_TYPE.encode())
_ORDER_TYPEHASH = keccak256((_ORDER_TYPE + _INSTRUCTION_TYPE).encode())
_TERMS_TYPEHASH = keccak256(_TERMS_TYPE.encode())
_SIGNER_CHANGE_TYPEHASH = keccak256(
    b"SignerChange(uint32 merchant,address key,uint40 validFrom,uint40 validUntil,uint48 nonce)"
)
_TERMINATION_TYPEHASH = keccak256(b"Termination(uint32 agreement,uint40 effectiveAt)")

EXECUTE_SELECTOR = keccak256(b"execute(bytes,((address,uint256,uint256,bytes32,bytes32),bytes32[])[])")[:4]


def signature_bytes(text: str) -> bytes:
    """A signature from its hex form; accepts the compact (64 bytes) and the usual form (65 bytes, `v` 0, 1, 27 or 28)."""
    raw = bytes_of(text)
    if len(raw) != 65:
        return raw
    parity = raw[64] - 27 if raw[64] >= 27 else raw[64]
    return raw[:32] + word(int.from_bytes(raw[32:64], "big") | (parity & 1) << 255)
