"""The wire protocol, four times the same: in the SDK, in eth-account (EIP-712), in web3 (ABI) and in the contract."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, astuple, fields, replace
from typing import Any, cast

import pytest
from eth_abi.packed import encode_packed
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import Web3

from scripts.dev.services import Anvil
from tests.contracts.chain import ARTIFACT
from tests.contracts.network import MEMBERS, endow, found_network, private_key, sign_order
from tests.contracts.twins import Twins
from tongdui.encoding import ZERO_WORD, hex_of
from tongdui.orders import (
    NONCE_MAX,
    UINT64_MAX,
    AgreementTerms,
    Domain,
    Instruction,
    Kind,
    Order,
    SignedOrder,
    address_of_key,
    decode_calldata,
    decode_orders,
    decode_orders_with_evidence,
    execute_calldata,
    full_signature,
    recover_signer,
    sign_digest,
    signature_bytes,
    signer_change_digest,
    termination_digest,
    touches_of,
)
from tongdui.receipts import Entry, Evidence, chain_head, merkle_proof, merkle_root, root_of_proof

ABI = json.loads(ARTIFACT.read_text())["abi"]
WEB3 = Web3()
HOUSE = WEB3.eth.contract(abi=ABI)

uint8, uint16, uint32, uint40, uint48, uint64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 40, 48, 64))
words = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20).map(hex_of)
keys = st.integers(1, 2**255).map(lambda number: keccak(number.to_bytes(32, "big")))
domains = st.builds(Domain, st.integers(1, 2**64), addresses)
instructions = st.builds(
    Instruction,
    kind=st.one_of(st.sampled_from(Kind), cast("st.SearchStrategy[Kind]", uint8)),
    member=addresses,
    points=uint64,
    program=uint32,
    agreement=uint32,
    min_out=uint64,
    expiry_day=uint32,
    link=st.just(ZERO_WORD) | words,
    ref=words,
)
orders = st.builds(
    Order,
    merchant=uint32,
    nonce=uint48,
    deadline=uint40,
    instructions=st.lists(instructions, max_size=5).map(tuple),
    atomic=st.booleans(),
)
signed_orders = st.builds(SignedOrder, orders, st.binary(min_size=64, max_size=64))
entries = st.builds(
    Entry,
    batch=uint40,
    index=uint16,
    merchant=uint32,
    nonce=uint48,
    item=uint16,
    kind=uint8,
    expiry_day=uint32,
    program=uint32,
    agreement=uint32,
    member=addresses,
    points=uint64,
    out=uint64,
    settled=uint64,
    fee=uint64,
    ref=words,
    link=words,
)
evidences = st.builds(Evidence, entries, st.lists(words, max_size=17).map(tuple))
terms = st.builds(
    AgreementTerms,
    kind=st.integers(0, 2),
    initiators=uint8,
    fee_bps=uint16,
    lifetime_days=uint16,
    source_merchant=uint32,
    target_merchant=uint32,
    source_program=uint32,
    target_program=uint32,
    valid_from=uint40,
    valid_until=uint40,
    rate_num=uint32,
    rate_den=uint32,
    unit_price_micros=uint64,
    max_points=uint64,
    daily_cap=uint64,
    supersedes=uint32,
    grace_seconds=uint32,
    accept_by=uint40,
    keep_expiry=st.booleans(),
    document=words,
)


@pytest.fixture(scope="module")
def twins(chain: Anvil) -> Iterator[Twins]:
    twins = Twins(chain.url)
    found_network(twins)
    endow(twins, [1_000] * 6)
    yield twins
    twins.chain.close()


def packed(signed: SignedOrder, slots: list[int] | None = None) -> bytes:
    """An order in the form in which it travels, packed here from the layout drawn in Orders.sol."""
    o = signed.order
    slots = slots or [0] * len(o.instructions)
    head = (o.merchant, o.nonce, o.deadline, o.atomic, len(o.instructions))
    items = [_packed_item(i, slot) for i, slot in zip(o.instructions, slots, strict=True)]
    return encode_packed(["uint32", "uint48", "uint40", "bool", "uint16"], head) + signed.signature + b"".join(items)


def _packed_item(i: Instruction, slot: int) -> bytes:
    linked = i.link != ZERO_WORD
    numbers = (linked, int(i.kind), i.program, i.agreement, i.expiry_day, i.points, i.min_out, slot)
    types = ["bool", "uint8", "uint32", "uint32", "uint32", "uint64", "uint64", "uint16"]
    item = encode_packed([*types, "address", "bytes32"], (*numbers, to_checksum_address(i.member), i.ref))
    return item + (i.link if linked else b"")


def entry_tuple(e: Entry) -> tuple[Any, ...]:
    """The contract's `Entry`, packed here from the layout drawn in Entries.sol."""
    head = e.agreement + (e.program << 32) + (e.expiry_day << 64) + (e.kind << 96) + (e.item << 104)
    head += (e.nonce << 120) + (e.merchant << 168) + (e.index << 200) + (e.batch << 216)
    amounts = e.fee + (e.settled << 64) + (e.out << 128) + (e.points << 192)
    return to_checksum_address(e.member), head, amounts, e.ref, e.link


def typed_data(domain: Domain, primary: str, types: list[dict[str, str]], message: dict[str, Any]) -> bytes:
    """What eth-account would sign."""
    signable = encode_typed_data(
        full_message={
            "types": {"EIP712Domain": DOMAIN_FIELDS, primary: types},
            "primaryType": primary,
            "domain": {
                "name": "Tongdui",
                "version": "1",
                "chainId": domain.chain_id,
                "verifyingContract": domain.contract,
            },
            "message": message,
        }
    )
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


def struct_fields(struct: str) -> list[dict[str, str]]:
    """Fields of one of the contract's structs, from its ABI: enums are uint8 there, as in EIP-712."""
    inputs = [i for item in ABI for i in item.get("inputs", []) if i.get("internalType") == f"struct {struct}"]
    return [{"name": field["name"], "type": field["type"]} for field in inputs[0]["components"]]


# -------------------------------------------------------------------- digests


@given(order=orders, domain=domains)
def test_eth_account_would_sign_the_same_order(order: Order, domain: Domain) -> None:
    written = order.typed_data(domain)
    assert written["primaryType"] == "Order", "wallets do not guess it, as eth-account does"
    signable = encode_typed_data(full_message=written)

    assert keccak(b"\x19" + signable.version + signable.header + signable.body) == order.digest(domain)


@given(agreed=terms, domain=domains)
def test_eth_account_would_sign_the_same_terms(agreed: AgreementTerms, domain: Domain) -> None:
    types = struct_fields("AgreementTerms")
    message = {field["name"]: value for field, value in zip(types, astuple(agreed), strict=True)}

    assert typed_data(domain, "AgreementTerms", types, message) == agreed.digest(domain)


@given(domain=domains, merchant=uint32, key=addresses, since=uint40, until=uint40, nonce=uint48)
def test_eth_account_would_sign_the_same_change_of_a_key(
    domain: Domain, merchant: int, key: str, since: int, until: int, nonce: int
) -> None:
    types = struct_fields("SignerChange")
    values = (merchant, key, since, until, nonce)
    message = {field["name"]: value for field, value in zip(types, values, strict=True)}

    assert typed_data(domain, "SignerChange", types, message) == signer_change_digest(domain, *values)


@given(domain=domains, agreement=uint32, effective_at=uint40)
def test_eth_account_would_sign_the_same_termination(domain: Domain, agreement: int, effective_at: int) -> None:
    types = [{"name": "agreement", "type": "uint32"}, {"name": "effectiveAt", "type": "uint40"}]
    message = {"agreement": agreement, "effectiveAt": effective_at}

    assert typed_data(domain, "Termination", types, message) == termination_digest(domain, agreement, effective_at)


@given(batch=st.lists(orders, min_size=1, max_size=10))
def test_the_contract_computes_the_same_digests(twins: Twins, batch: list[Order]) -> None:
    unsigned = [packed(SignedOrder(order, bytes(64))) for order in batch]

    digests = twins.chain.views(("digestOf", order) for order in unsigned)

    assert digests == [order.digest(twins.chain.domain) for order in batch]


def test_the_types_that_wallets_show_are_the_contracts(twins: Twins) -> None:
    """ERC-5267: whoever asks the contract for its domain gets the SDK's."""
    domain = twins.chain.domain
    _, name, version, chain_id, contract, salt, extensions = twins.chain.view("eip712Domain")

    assert (name, version, chain_id, contract) == ("Tongdui", "1", domain.chain_id, domain.contract)
    assert (salt, extensions) == (ZERO_WORD, ())


# -------------------------------------------------------------------- signatures


@given(key=keys, digest=words)
def test_compact_and_full_signatures_are_eth_accounts(key: bytes, digest: bytes) -> None:
    compact = sign_digest(digest, key)
    theirs = bytes(Account.unsafe_sign_hash(digest, key).signature)

    assert full_signature(compact) == theirs
    assert signature_bytes(theirs.hex()) == signature_bytes(compact.hex()) == compact
    assert recover_signer(digest, compact) == address_of_key(key) == Account.from_key(key).address


# -------------------------------------------------------------------- calldata


@given(batch=st.lists(signed_orders, max_size=5), proofs=st.lists(evidences, min_size=1, max_size=5))
def test_web3_encodes_the_same_batch(batch: list[SignedOrder], proofs: list[Evidence]) -> None:
    """Reversals point to their evidence in the order in which they come; what is no reversal points to 0."""
    used: list[Evidence] = []
    orders_bytes = b""
    every_slot = []
    for signed in batch:
        slots = []
        for i in signed.order.instructions:
            slots.append(len(used) if i.kind is Kind.REVERSE else 0)
            if i.kind is Kind.REVERSE:
                used.append(proofs[i.points % len(proofs)])
        orders_bytes += packed(signed, slots)
        every_slot.append(tuple(slots))
    evidence = [(entry_tuple(e.entry), list(e.proof)) for e in used]

    expected = HOUSE.encode_abi("execute", [orders_bytes, evidence])

    assert hex_of(execute_calldata(batch, lambda i: proofs[i.points % len(proofs)])) == expected
    assert [slots for _, slots in decode_orders_with_evidence(orders_bytes)] == every_slot


@given(batch=st.lists(signed_orders, max_size=5))
def test_orders_come_back_out_of_their_bytes(batch: list[SignedOrder]) -> None:
    bytes_of_batch = b"".join(packed(signed) for signed in batch)

    assert b"".join(signed.calldata() for signed in batch) == bytes_of_batch
    decoded = decode_orders(bytes_of_batch)
    assert list(decoded) == batch
    assert all(isinstance(i.kind, Kind) for one in decoded for i in one.order.instructions if i.kind in set(Kind))
    for signed in batch:
        touched = Counter((int(i.kind), i.program, i.agreement) for i in signed.order.instructions)
        assert touches_of(packed(signed)) == touched
    assert execute_calldata([packed(signed) for signed in batch]) == execute_calldata(batch)
    assert list(decode_calldata(bytes.fromhex(HOUSE.encode_abi("execute", [bytes_of_batch, []])[2:]))) == batch


@given(signed=signed_orders, data=st.data())
def test_bytes_that_end_inside_an_order_are_told(signed: SignedOrder, data: st.DataObject) -> None:
    whole = packed(signed)
    size = data.draw(st.integers(1, len(whole) - 1))
    calldata = execute_calldata([signed])

    for broken in (whole[:size], whole + bytes(min(size, 81))):
        with pytest.raises(ValueError, match=r"^the bytes end inside an order$"):
            decode_orders(broken)
    with pytest.raises(ValueError, match=r"^(the calldata is cut off|the bytes end inside an order)$"):
        decode_calldata(calldata[: 4 + size])
    with pytest.raises(ValueError, match=r"^this does not call `execute`$"):
        decode_calldata(whole)


@given(signed=signed_orders)
def test_each_instruction_has_one_place_for_evidence(signed: SignedOrder) -> None:
    assert all(i.calldata() == i.calldata(0) for i in signed.order.instructions)
    with pytest.raises(ValueError, match=r"zip\(\) argument"):
        signed.calldata([0] * (len(signed.order.instructions) + 1))


def test_an_empty_batch_ends_with_its_size() -> None:
    whole = execute_calldata([])
    ends = 4 + 3 * 32  # selector, two offsets, size

    assert decode_calldata(whole) == decode_calldata(whole[:ends]) == ()
    with pytest.raises(ValueError, match=r"^the calldata is cut off$"):
        decode_calldata(whole[: ends - 1])


@given(agreed=terms)
def test_web3_encodes_the_same_terms(agreed: AgreementTerms) -> None:
    expected = HOUSE.encode_abi("registerAgreement", [1, astuple(agreed), b"", b""])

    assert agreed.abi_encoding().hex() in expected
    assert [field["name"].lower() for field in struct_fields("AgreementTerms")] == [
        field.name.replace("_", "") for field in fields(agreed)
    ]


# -------------------------------------------------------------------- entries


@given(entry=entries)
def test_an_entry_is_five_words_and_comes_back_from_its_log(entry: Entry) -> None:
    member, head, amounts, ref, link = entry_tuple(entry)

    encoded = WEB3.codec.encode(["(address,uint256,uint256,bytes32,bytes32)"], [(member, head, amounts, ref, link)])
    log = WEB3.codec.encode(["uint256", "uint256", "bytes32"], [head, amounts, ref])

    assert entry.abi_encoding() == encoded
    assert entry.leaf() == keccak(encoded)
    assert Entry.from_log(entry.member, log, entry.link) == entry


@given(leaves=st.lists(words, min_size=1, max_size=40, unique=True), data=st.data())
def test_every_leaf_and_no_other_leads_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    stranger = data.draw(words.filter(lambda leaf: leaf not in leaves))
    proof = merkle_proof(leaves, index)

    assert root_of_proof(leaves[index], proof) == merkle_root(leaves)
    assert root_of_proof(stranger, proof) != merkle_root(leaves)


def issue(points: int, program: int, member: int, ref: bytes = ZERO_WORD, link: bytes = ZERO_WORD) -> Instruction:
    return Instruction(Kind.ISSUE, MEMBERS[member % len(MEMBERS)], points, program, ref=ref, link=link)


gifts = st.builds(issue, st.integers(1, 1_000), st.sampled_from([1, 4]), st.integers(0, 4), words, words)


@settings(max_examples=30)
@given(batch=st.lists(st.lists(gifts, min_size=1, max_size=8).map(tuple), max_size=5), spoil=st.integers(0, 12))
def test_the_contract_verifies_exactly_the_entries_that_it_posted(
    twins: Twins, batch: list[tuple[Instruction, ...]], spoil: int
) -> None:
    nonces = iter(range(NONCE_MAX - len(twins.tried) - len(batch), NONCE_MAX))
    signed = [sign_order(twins, Order(1, next(nonces), 2**40 - 1, i), private_key(1, 0)) for i in batch]
    before = twins.chain.view("head")

    *posted, (_, closed) = twins.execute(signed, None)

    receipts = [values[0] for event, values in posted]
    leaves = [receipt.leaf() for receipt in receipts]
    number, count, root, head = closed
    assert (count, root) == (len(leaves), merkle_root(leaves))
    assert head == chain_head(before, number, count, root)
    for index, receipt in enumerate(receipts):
        proof = list(merkle_proof(leaves, index))
        assert twins.chain.view("verifyEntry", entry_tuple(receipt), proof)
        assert not twins.chain.view("verifyEntry", entry_tuple(altered(receipt, spoil)), proof)
        assert not twins.chain.view("verifyEntry", entry_tuple(receipt), [*proof, ZERO_WORD])


def altered(entry: Entry, which: int) -> Entry:
    """The entry with one field changed."""
    numbers = [name for name, value in asdict(entry).items() if isinstance(value, int)]
    name = numbers[which % len(numbers)]
    return replace(entry, **cast("dict[str, Any]", {name: asdict(entry)[name] ^ 1}))


def test_the_largest_values_fit_their_places(twins: Twins) -> None:
    item = Instruction(Kind.EXPIRE, MEMBERS[0], UINT64_MAX, 2**32 - 1, 2**32 - 1, UINT64_MAX, 2**32 - 1)
    order = Order(2**32 - 1, NONCE_MAX, 2**40 - 1, (item,), atomic=True)

    assert twins.chain.view("digestOf", packed(SignedOrder(order, bytes(64)))) == order.digest(twins.chain.domain)
