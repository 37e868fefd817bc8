"""The wire protocol: orders, their EIP-712 digests and signatures, the terms of agreements, and the calldata of a batch.

The server imports this module too, so there is one definition. `contracts/libraries/Orders.sol` is its twin on the chain; a test
compares the two with each other and with eth-account's own EIP-712 encoder.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any, cast

from .encoding import ZERO_WORD, address_word, bytes_of, hex_of, keccak256, word
from .receipts import Evidence

if TYPE_CHECKING:
    from eth_keys.datatypes import PrivateKey, PublicKey

UINT64_MAX = 2**64 - 1
NONCE_MAX = 2**48 - 1
NO_NONCE = 2**64 - 1
"""The nonce in `SignerChanged` when the operator or the owner changed the key, so that no nonce of the merchant was used."""

MAX_INSTRUCTIONS = 1_000
"""The most instructions in one order. A larger order would not fit into a transaction's gas."""

ZERO_ADDRESS = "0x" + "00" * 20

ORDER_BYTES, INSTRUCTION_BYTES, LINK_BYTES = 82, 84, 32
"""Packed size of an order before its instructions, of an instruction without a link, and of a link."""

Touch = tuple[int, int, int]
"""(kind, program, agreement): what an instruction touches beside members."""


class Kind(IntEnum):
    """What an instruction does; twin of the contract's `Kind`."""

    ISSUE = 1
    REDEEM = 2
    EXCHANGE = 3
    SPEND = 4
    TRANSFER = 5
    REVERSE = 6
    EXPIRE = 7

    @property
    def label(self) -> str:
        """The name that the API uses: `issue`, `redeem`, ..."""
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
    OVER_ISSUANCE_CAP = 30

    @property
    def code(self) -> str:
        """The stable code that the API uses: `insufficient_points`, ..."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Domain:
    """The chain and the contract that a signature is valid for (EIP-712 domain, name `Tongdui`, version `1`)."""

    chain_id: int
    contract: str

    @property
    def separator(self) -> bytes:
        """The EIP-712 domain separator."""
        return keccak256(
            _DOMAIN_TYPEHASH + _NAME_HASH + _VERSION_HASH + word(self.chain_id) + address_word(self.contract)
        )

    def preimage(self, struct_hash: bytes) -> bytes:
        """The bytes whose keccak256 is the digest, for signers that hash for themselves."""
        return b"\x19\x01" + self.separator + struct_hash

    def digest(self, struct_hash: bytes) -> bytes:
        """The digest to sign for the typed struct with this hash."""
        return keccak256(self.preimage(struct_hash))


@dataclass(frozen=True, slots=True)
class Instruction:
    """One movement in an order. `min_out` is the fewest target points; `expiry_day` counts days since 1970-01-01, 0 for never."""

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
        """The EIP-712 struct hash."""
        words = _packed(
            _INSTRUCTION_WORDS,
            self.kind,
            self.program,
            self.agreement,
            _address_bytes(self.member),
            self.points,
            self.min_out,
            self.expiry_day,
        )
        return keccak256(_INSTRUCTION_TYPEHASH + words + self.link + self.ref)

    def calldata(self, evidence: int = 0) -> bytes:
        """Pack the instruction for the chain.

        Args:
            evidence: Position of its evidence in the batch, for a reversal.

        Returns:
            84 bytes, or 116 with a link.
        """
        linked = self.link != ZERO_WORD
        head = _packed(
            _INSTRUCTION_HEAD,
            linked,
            self.kind,
            self.program,
            self.agreement,
            self.expiry_day,
            self.points,
            self.min_out,
            evidence,
            _address_bytes(self.member),
        )
        return head + self.ref + (self.link if linked else b"")


_INSTRUCTION_WORDS = struct.Struct(">31xB 28xI 28xI 12x20s 24xQ 24xQ 28xI")
"""Kind, program, agreement, member, points, min_out and expiry day, each as a word."""
_INSTRUCTION_HEAD = struct.Struct(">BB III QQ H 20s")
"""Whether there is a link, kind, program, agreement, expiry day, points, min_out, evidence and member."""
_TOUCH = struct.Struct(">BII")
"""Kind, program and agreement, as they stand in an instruction's head."""


def _packed(layout: struct.Struct, *values: object) -> bytes:
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise OverflowError(f"a number of the instruction does not fit its place on the chain: {error}") from error


def _address_bytes(address: str) -> bytes:
    raw = bytes.fromhex(address[2:])
    if len(raw) != 20:
        raise ValueError(f"{address} is not an address: it has {len(raw)} bytes")
    return raw


@dataclass(frozen=True, slots=True)
class Order:
    """What one merchant signs: instructions with one nonce and one deadline (in Unix seconds)."""

    merchant: int
    nonce: int
    deadline: int
    instructions: tuple[Instruction, ...]
    atomic: bool = False

    def struct_hash(self) -> bytes:
        """The EIP-712 struct hash."""
        return keccak256(
            _ORDER_TYPEHASH
            + word(self.merchant)
            + word(self.nonce)
            + word(self.deadline)
            + word(self.atomic)
            + keccak256(b"".join(instruction.struct_hash() for instruction in self.instructions))
        )

    def digest(self, domain: Domain) -> bytes:
        """The digest that the merchant signs."""
        return domain.digest(self.struct_hash())

    def typed_data(self, domain: Domain) -> dict[str, Any]:
        """Write the order as EIP-712 JSON, for wallets and hardware signers."""
        return {
            "types": {
                "EIP712Domain": _fields_of(_DOMAIN_TYPE),
                "Order": _fields_of(_ORDER_TYPE),
                "Instruction": _fields_of(_INSTRUCTION_TYPE),
            },
            "primaryType": "Order",
            "domain": _domain_json(domain),
            "message": {
                "merchant": self.merchant,
                "nonce": self.nonce,
                "deadline": self.deadline,
                "atomic": self.atomic,
                "instructions": [
                    {
                        "kind": int(instruction.kind),
                        "program": instruction.program,
                        "agreement": instruction.agreement,
                        "member": instruction.member,
                        "points": instruction.points,
                        "minOut": instruction.min_out,
                        "expiryDay": instruction.expiry_day,
                        "link": instruction.link,
                        "ref": instruction.ref,
                    }
                    for instruction in self.instructions
                ],
            },
        }


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order with its compact signature (ERC-2098: `r`, and `s` with the parity in its top bit)."""

    order: Order
    signature: bytes

    def calldata(self, evidence: Sequence[int] = ()) -> bytes:
        """Pack the order for the chain.

        Args:
            evidence: Position of each instruction's evidence in the batch. Empty when the order reverses nothing.

        Returns:
            The bytes that `decode_orders` reads.
        """
        order = self.order
        positions = evidence or (0,) * len(order.instructions)
        return (
            order.merchant.to_bytes(4, "big")
            + order.nonce.to_bytes(6, "big")
            + order.deadline.to_bytes(5, "big")
            + bytes([order.atomic])
            + len(order.instructions).to_bytes(2, "big")
            + self.signature
            + b"".join(
                instruction.calldata(position)
                for instruction, position in zip(order.instructions, positions, strict=True)
            )
        )


@dataclass(frozen=True, slots=True)
class AgreementTerms:
    """What two merchants agree on and both sign; field by field the contract's `AgreementTerms`.

    The member gets `rate_num` target points for `rate_den` source points. The source merchant pays `unit_price_micros` for each
    target point of an exchange, or for each source point of an acceptance. Times are in Unix seconds. After `accept_by` (0: never)
    the terms can no longer be registered. With `keep_expiry` points that an exchange mints expire no later than those it burns.
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
    accept_by: int
    keep_expiry: bool
    document: bytes

    def abi_encoding(self) -> bytes:
        """Encode the terms as the ABI does (a static tuple)."""
        numbers = (getattr(self, field.name) for field in fields(self)[:-1])
        return b"".join(word(number) for number in numbers) + self.document

    def struct_hash(self) -> bytes:
        """The EIP-712 struct hash."""
        return keccak256(_TERMS_TYPEHASH + self.abi_encoding())

    def digest(self, domain: Domain) -> bytes:
        """The digest that both merchants sign."""
        return domain.digest(self.struct_hash())


def signer_change_digest(
    domain: Domain, merchant: int, key: str, valid_from: int, valid_until: int, nonce: int
) -> bytes:
    """The digest that a merchant's live key signs to add, shorten or revoke one of its keys.

    Args:
        domain: The chain and the contract that the signature is valid for.
        merchant: The merchant's number.
        key: Address of the key to change.
        valid_from: When the key begins to sign, in Unix seconds.
        valid_until: When it stops, in Unix seconds.
        nonce: A nonce of the merchant that was not used before.

    Returns:
        32 bytes to sign.
    """
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
    """The digest that either merchant signs to end an agreement early.

    Args:
        domain: The chain and the contract that the signature is valid for.
        agreement: The agreement's number.
        effective_at: When the agreement ends, in Unix seconds.

    Returns:
        32 bytes to sign.
    """
    return domain.digest(termination_struct_hash(agreement, effective_at))


def termination_struct_hash(agreement: int, effective_at: int) -> bytes:
    """The EIP-712 struct hash of a termination: the agreement's number, and when it ends in Unix seconds."""
    return keccak256(_TERMINATION_TYPEHASH + word(agreement) + word(effective_at))


# -------------------------------------------------------------------- signatures


def sign_digest(digest: bytes, private_key: bytes) -> bytes:
    """Sign a digest.

    Args:
        digest: 32 bytes.
        private_key: 32 bytes.

    Returns:
        The compact ERC-2098 signature (64 bytes).
    """
    signature = _key_pair(private_key).sign_msg_hash(digest)
    return word(signature.r) + word(signature.s | signature.v << 255)


def full_signature(compact: bytes) -> bytes:
    """Expand a compact signature to the usual 65 bytes (r, s, v)."""
    s_and_parity = int.from_bytes(compact[32:], "big")
    return compact[:32] + word(s_and_parity & (1 << 255) - 1) + bytes([27 + (s_and_parity >> 255)])


def signature_bytes(text: str) -> bytes:
    """Read a signature from hex.

    Args:
        text: The compact form (64 bytes) or the usual one (65 bytes, `v` being 0, 1, 27 or 28).

    Returns:
        The compact form. Input of any other length comes back as it is, for `recover_signer` to refuse.
    """
    raw = bytes_of(text)
    if len(raw) != 65:
        return raw
    parity = raw[64] - 27 if raw[64] >= 27 else raw[64]
    return raw[:32] + word(int.from_bytes(raw[32:64], "big") | (parity & 1) << 255)


def recover_signer(digest: bytes, compact: bytes) -> str:
    """Find out who made a signature.

    Args:
        digest: The 32 bytes that were signed.
        compact: The signature in compact form.

    Returns:
        The signer's checksummed address.

    Raises:
        ValueError: The signature is malformed.
    """
    if len(compact) != 64:
        raise ValueError(f"a compact signature has 64 bytes, not {len(compact)}")
    s_and_parity = int.from_bytes(compact[32:], "big")
    r = int.from_bytes(compact[:32], "big")
    try:
        key = _recover_key(digest, s_and_parity >> 255, r, s_and_parity & (1 << 255) - 1)
    except Exception as error:
        raise ValueError(f"the signature cannot be recovered: {error}") from error
    return key.to_checksum_address()


def address_of_key(private_key: bytes) -> str:
    """The checksummed address of a private key."""
    return _key_pair(private_key).public_key.to_checksum_address()


# eth_keys takes a quarter of a second to import, so it is loaded with the first signature. Code that only encodes, hashes
# or decodes orders never pays for it.


def _key_pair(private_key: bytes) -> PrivateKey:
    from eth_keys.datatypes import PrivateKey

    return PrivateKey(private_key)


def _recover_key(digest: bytes, parity: int, r: int, s: int) -> PublicKey:
    from eth_keys.datatypes import Signature

    return Signature(vrs=(parity, r, s)).recover_public_key_from_msg_hash(digest)


# -------------------------------------------------------------------- calldata


def execute_calldata(
    orders: Iterable[SignedOrder | bytes], evidence_of: Callable[[Instruction], Evidence] | None = None
) -> bytes:
    """Encode a call of `execute(orders, evidence)`.

    Args:
        orders: The batch. An order that reverses nothing may come as the bytes of `SignedOrder.calldata`.
        evidence_of: Finds the evidence of a reversal.

    Returns:
        The calldata of the batch's transaction.
    """
    evidence: list[bytes] = []
    encoded: list[bytes] = []
    for signed in orders:
        if isinstance(signed, bytes):
            encoded.append(signed)
            continue
        positions = []
        for instruction in signed.order.instructions:
            positions.append(0)
            if instruction.kind is Kind.REVERSE and evidence_of is not None:
                positions[-1] = len(evidence)
                evidence.append(evidence_of(instruction).calldata())
        encoded.append(signed.calldata(positions))
    packed = b"".join(encoded)
    orders_part = word(len(packed)) + packed + bytes(-len(packed) % 32)
    return EXECUTE_SELECTOR + word(64) + word(64 + len(orders_part)) + orders_part + _dynamic_array(evidence)


def touches_of(packed: bytes) -> Counter[Touch]:
    """Count what the instructions of a packed order touch beside members, without decoding it."""
    found: Counter[bytes] = Counter()
    position = ORDER_BYTES
    while position < len(packed):
        found[packed[position + 1 : position + 10]] += 1
        position += INSTRUCTION_BYTES + (LINK_BYTES if packed[position] & 1 else 0)
    return Counter({_TOUCH.unpack(touched): count for touched, count in found.items()})


def decode_calldata(data: bytes) -> tuple[SignedOrder, ...]:
    """Decode the orders of a batch.

    Args:
        data: The input of the batch's transaction.

    Returns:
        The orders, in the order of the batch.

    Raises:
        ValueError: The transaction does not call `execute`, or its input is cut off.
    """
    if data[:4] != EXECUTE_SELECTOR:
        raise ValueError("this does not call `execute`")
    start = 4 + int.from_bytes(data[4:36], "big")  # the first argument says where its bytes begin
    size = int.from_bytes(data[start : start + 32], "big")
    packed = data[start + 32 : start + 32 + size]
    if len(data) < start + 32 or len(packed) < size:
        raise ValueError("the calldata is cut off")
    return decode_orders(packed)


def decode_orders(packed: bytes) -> tuple[SignedOrder, ...]:
    """Decode packed orders, one after another.

    Args:
        packed: The bytes of one or more `SignedOrder.calldata`.

    Returns:
        The orders.

    Raises:
        ValueError: The bytes end inside an order; the contract reverts with `BadEncoding`.
    """
    return tuple(signed for signed, _ in decode_orders_with_evidence(packed))


def decode_orders_with_evidence(packed: bytes) -> Iterator[tuple[SignedOrder, tuple[int, ...]]]:
    """Decode packed orders, each with what it says about evidence and the merchant did not sign.

    Args:
        packed: The bytes of one or more `SignedOrder.calldata`.

    Yields:
        An order, and the position of each instruction's evidence in the batch (it counts for reversals only).

    Raises:
        ValueError: The bytes end inside an order; the contract reverts with `BadEncoding`.
    """
    position = 0
    try:
        while position < len(packed):
            merchant, nonce_high, nonce, deadline_high, deadline, flags, count, signature = _ORDER_HEAD.unpack_from(
                packed, position
            )
            position += ORDER_BYTES
            instructions, positions = [], []
            for _ in range(count):
                instruction, evidence, position = _decode_instruction(packed, position)
                instructions.append(instruction)
                positions.append(evidence)
            order = Order(
                merchant, nonce_high << 32 | nonce, deadline_high << 32 | deadline, tuple(instructions), bool(flags & 1)
            )
            yield SignedOrder(order, signature), tuple(positions)
    except struct.error as error:
        raise ValueError("the bytes end inside an order") from error


_ORDER_HEAD = struct.Struct(">I HI BI B H 64s")
"""Merchant, nonce, deadline, flags, number of instructions and signature. The nonce has 48 bits, the deadline 40."""
_KINDS = {int(kind): kind for kind in Kind}


def _decode_instruction(packed: bytes, position: int) -> tuple[Instruction, int, int]:
    """The instruction at `position`, the position of its evidence, and where it ends."""
    flags, kind, program, agreement, expiry_day, points, min_out, evidence, member = _INSTRUCTION_HEAD.unpack_from(
        packed, position
    )
    end = position + INSTRUCTION_BYTES
    ref = packed[end - 32 : end]
    link = ZERO_WORD
    if flags & 1:
        link = packed[end : end + 32]
        end += 32
    if end > len(packed):
        raise struct.error("the instruction is cut off")
    known = _KINDS.get(kind) or cast("Kind", kind)  # the contract rejects unknown kinds one by one
    return Instruction(known, hex_of(member), points, program, agreement, min_out, expiry_day, link, ref), evidence, end


def _dynamic_array(elements: Sequence[bytes]) -> bytes:
    """Encode an array of dynamic elements as the ABI does: length, offsets, elements."""
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
    "uint32 graceSeconds,uint40 acceptBy,bool keepExpiry,bytes32 document)"
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
