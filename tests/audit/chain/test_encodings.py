"""Headers and transactions hash to what other software says: mainnet's genesis, pyrlp, eth-account."""

from __future__ import annotations

from typing import Any

import coincurve
import pytest
import rlp
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from tongdui.audit.chain import receipts, rlp_writing, transactions
from tongdui.audit.chain.headers import header_of
from tongdui.audit.chain.signatures import HALF_ORDER, NOBODY, signer_of, signer_of_compact
from tongdui.audit.chain.transactions import UnsupportedType
from tongdui.audit.chain.trie import ordered_root
from tongdui.encoding import hex_of, keccak256, word
from tongdui.orders import full_signature, recover_signer, sign_digest

Json = dict[str, Any]

KEY = keccak256(b"a key of somebody")
ADDRESS = Account.from_key(KEY).address.lower()
CURVE_ORDER = 2 * HALF_ORDER + 1

GENESIS = {
    "parentHash": "0x" + "00" * 32,
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "00" * 20,
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x400000000",
    "number": "0x0",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "mixHash": "0x" + "00" * 32,
    "nonce": "0x0000000000000042",
    "hash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
}
"""The first block of Ethereum's main chain."""

BFT = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"
VANITY, VALIDATORS, ROUND, SEALS = bytes(32), [bytes([n]) * 20 for n in range(4)], b"\x03", [b"a" * 65, b"b" * 65]


items = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=6), max_leaves=12)


@given(items)
def test_rlp_is_that_of_the_library(item: Any) -> None:
    assert rlp_writing.encoded(item) == rlp.encode(item)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 255, 256, 65_535, 65_536])
def test_rlp_of_any_length_is_that_of_the_library(size: int) -> None:
    assert rlp_writing.encoded(b"x" * size) == rlp.encode(b"x" * size)
    assert rlp_writing.encoded([b"x"] * size) == rlp.encode([b"x"] * size)


class TestHeaders:
    def test_of_mainnet_genesis_holds(self) -> None:
        assert header_of(GENESIS).holds

    @pytest.mark.parametrize("name", [name for name in GENESIS if name != "hash"])
    def test_commit_to_every_field(self, name: str) -> None:
        changed = GENESIS[name][:-1] + ("1" if GENESIS[name][-1] != "1" else "2")
        assert not header_of({**GENESIS, name: changed}).holds

    @pytest.mark.parametrize(
        "agreed",
        [
            pytest.param([VANITY, VALIDATORS, [], b"", []], id="QBFT"),
            pytest.param([VANITY, VALIDATORS, []], id="QBFT at first"),
            pytest.param([VANITY, VALIDATORS, b""], id="IBFT 2.0"),
        ],
    )
    def test_of_validators_hold_without_seals_and_round(self, agreed: list[Any]) -> None:
        whole = [*agreed[:3], ROUND, SEALS]
        block = _hashed({**GENESIS, "mixHash": BFT, "extraData": hex_of(rlp.encode(agreed))})
        assert header_of({**block, "extraData": hex_of(rlp.encode(whole))}).holds
        others = [VANITY, VALIDATORS[1:], *whole[2:]]
        assert not header_of({**block, "extraData": hex_of(rlp.encode(others))}).holds
        assert not header_of({**block, "extraData": hex_of(rlp.encode(whole)), "gasUsed": "0x1"}).holds

    def test_of_istanbul_hold_without_seals(self) -> None:
        block = _hashed(
            {**GENESIS, "mixHash": BFT, "extraData": hex_of(VANITY + rlp.encode([VALIDATORS, SEALS[0], []]))}
        )
        assert header_of({**block, "extraData": hex_of(VANITY + rlp.encode([VALIDATORS, SEALS[0], SEALS]))}).holds
        assert not header_of({**block, "extraData": hex_of(VANITY + rlp.encode([VALIDATORS, SEALS[1], SEALS]))}).holds

    def test_of_other_chains_must_hash_whole(self) -> None:
        block = _hashed({**GENESIS, "extraData": hex_of(rlp.encode([VANITY, VALIDATORS, [], b"", []]))})
        whole = hex_of(rlp.encode([VANITY, VALIDATORS, [], ROUND, SEALS]))
        assert header_of(block).holds
        assert not header_of({**block, "extraData": whole}).holds


def _hashed(block: Json) -> Json:
    """The block with the hash of its content."""
    return {**block, "hash": header_of(block).computed}


LEGACY = {"nonce": 7, "gasPrice": 0, "gas": 21_000, "to": "0x" + "12" * 20, "value": 5, "data": "0x1234"}
ACCESS = [{"address": "0x" + "34" * 20, "storageKeys": ["0x" + "00" * 31 + "07"]}]
WITH_FEES = {
    **{name: value for name, value in LEGACY.items() if name != "gasPrice"},
    "type": 2,
    "chainId": 5,
    "maxFeePerGas": 9,
    "maxPriorityFeePerGas": 1,
}
PERMIT = Account.sign_authorization({"chainId": 5, "address": "0x" + "56" * 20, "nonce": 1}, KEY)
KINDS = [
    pytest.param(LEGACY, id="for any chain"),
    pytest.param({**LEGACY, "chainId": 31_337}, id="for one chain"),
    pytest.param({**{k: v for k, v in LEGACY.items() if k != "to"}, "chainId": 1}, id="that creates"),
    pytest.param({**LEGACY, "type": 1, "chainId": 5, "accessList": ACCESS}, id="type 1"),
    pytest.param(WITH_FEES, id="type 2"),
    pytest.param(
        {**WITH_FEES, "type": 3, "maxFeePerBlobGas": 3, "blobVersionedHashes": ["0x01" + "09" * 31]}, id="type 3"
    ),
    pytest.param({**WITH_FEES, "type": 4, "authorizationList": [PERMIT]}, id="type 4"),
]


def written(fields: Json, key: bytes = KEY) -> tuple[Json, bytes]:
    """A signed transaction as a node writes it, and its bytes as eth-account makes them."""
    signed = Account.sign_transaction(fields, key)
    told: Json = {
        name: hex(value) if isinstance(value, int) else value for name, value in fields.items() if name != "data"
    }
    told |= {"type": hex(fields.get("type", 0)), "input": fields["data"], "to": fields.get("to")}
    if fields.get("type"):
        told |= {"accessList": fields.get("accessList", []), "yParity": hex(signed.v)}
        told["authorizationList"] = [_permit(permit) for permit in fields.get("authorizationList", [])]
    told |= {"v": hex(signed.v), "r": hex(signed.r), "s": hex(signed.s)}
    return told, bytes(signed.raw_transaction)


def _permit(permit: Any) -> Json:
    told = {name: getattr(permit, name) for name in ("chain_id", "nonce", "y_parity", "r", "s")}
    quantities = {name: hex(value) for name, value in told.items()}
    return {
        **quantities,
        "chainId": quantities["chain_id"],
        "yParity": quantities["y_parity"],
        "address": hex_of(permit.address),
    }


class TestTransactions:
    @pytest.mark.parametrize("fields", KINDS)
    def test_are_encoded_as_eth_account_does(self, fields: Json) -> None:
        told, raw = written(fields)
        assert transactions.encoded(told) == raw
        assert transactions.hash_of(raw) == hex_of(keccak256(raw))

    @pytest.mark.parametrize("fields", KINDS)
    def test_tell_who_signed_them(self, fields: Json) -> None:
        told, _ = written(fields)
        assert transactions.sender_of(told) == ADDRESS
        assert transactions.sender_of({**told, "value": "0x6"}) != ADDRESS

    @pytest.mark.parametrize("fields", KINDS)
    def test_with_a_mirrored_signature_are_nobodys(self, fields: Json) -> None:
        told, _ = written(fields)
        flipped = int(told["v"], 16) + (1 if int(told["v"], 16) in (0, 27) or int(told["v"], 16) % 2 else -1)
        mirrored = {**told, "s": hex(CURVE_ORDER - int(told["s"], 16)), "v": hex(flipped), "yParity": None}
        assert transactions.sender_of(mirrored) == NOBODY

    @pytest.mark.parametrize(
        "odd", [{"r": "0x0"}, {"r": hex(2**256)}, {"s": "0x0"}, {"v": "0x2"}, {"r": hex(CURVE_ORDER)}]
    )
    def test_with_a_malformed_signature_are_nobodys(self, odd: Json) -> None:
        told, _ = written(LEGACY)
        assert transactions.sender_of({**told, **odd}) == NOBODY

    @pytest.mark.parametrize("kind", ["0x5", "0x7e"])
    def test_of_other_types_are_not_encoded(self, kind: str) -> None:
        told, _ = written(LEGACY)
        with pytest.raises(UnsupportedType, match=f"transactions of type {int(kind, 16)}"):
            transactions.encoded({**told, "type": kind})

    def test_lead_to_the_root_of_the_trie_library(self) -> None:
        raw = [written({**LEGACY, "nonce": nonce})[1] for nonce in range(200)]
        trie = HexaryTrie({})
        for index, one in enumerate(raw):
            trie[rlp.encode(index)] = one
        assert ordered_root(raw) == trie.root_hash


class TestSignatures:
    @given(st.binary(min_size=32, max_size=32))
    def test_tell_the_signer(self, digest: bytes) -> None:
        compact = sign_digest(digest, KEY)
        usual = full_signature(compact)
        assert signer_of_compact(digest, compact) == ADDRESS
        assert signer_of(digest, usual[:32], usual[32:64], usual[64] - 27) == ADDRESS

    def test_that_are_mirrored_are_nobodys(self) -> None:
        digest = keccak256(b"an order")
        usual = full_signature(sign_digest(digest, KEY))
        mirrored = word(CURVE_ORDER - int.from_bytes(usual[32:64], "big"))
        parity = 1 - (usual[64] - 27)
        key = coincurve.PublicKey.from_signature_and_message(
            usual[:32] + mirrored + bytes([parity]), digest, hasher=None
        )
        assert keccak256(key.format(compressed=False)[1:])[12:].hex() == ADDRESS[2:]  # the curve itself would accept it
        assert signer_of(digest, usual[:32], mirrored, parity) == NOBODY

    def test_of_orders_cannot_be_mirrored_either(self) -> None:
        """Almost all mirror images do not fit the compact form; these would."""
        digest = keccak256(b"an order")
        r = sign_digest(digest, KEY)[:32]
        for s, signer_is_somebody in ((HALF_ORDER, True), (HALF_ORDER + 1, False), (2**255 - 1, False)):
            assert bool(signer_of_compact(digest, r + word(s))) == signer_is_somebody
            assert signer_of_compact(digest, r + word(s)) in (recover_signer(digest, r + word(s)).lower(), NOBODY)

    @pytest.mark.parametrize("compact", [bytes(64), b"\xff" * 64, bytes(32) + word(1), word(1) + bytes(32)])
    def test_that_are_malformed_are_nobodys(self, compact: bytes) -> None:
        assert signer_of_compact(keccak256(b"an order"), compact) == NOBODY


LOG: Json = {"address": "0x" + "12" * 20, "topics": ["0x" + "34" * 32], "data": "0x56"}
RECEIPT: Json = {"status": "0x1", "cumulativeGasUsed": "0x5208", "logsBloom": "0x" + "00" * 256, "logs": [LOG]}
FIELDS = [b"\x01", b"\x52\x08", bytes(256), [[b"\x12" * 20, [b"\x34" * 32], b"\x56"]]]


class TestReceipts:
    def test_are_encoded_by_type(self) -> None:
        raw = rlp.encode(FIELDS)
        assert receipts.encoded(RECEIPT) == receipts.encoded({**RECEIPT, "type": "0x0"}) == raw
        assert receipts.encoded({**RECEIPT, "type": "0x2"}) == b"\x02" + raw

    def test_of_a_failed_transaction_have_an_empty_status(self) -> None:
        assert receipts.encoded({**RECEIPT, "status": "0x0"}) == rlp.encode([b"", *FIELDS[1:]])

    def test_of_old_chains_have_a_state_root(self) -> None:
        old = {**{k: v for k, v in RECEIPT.items() if k != "status"}, "root": "0x" + "78" * 32}
        assert receipts.encoded(old) == rlp.encode([b"\x78" * 32, *FIELDS[1:]])

    def test_filter_has_three_bits_for_each_word(self) -> None:
        bloom = receipts.bloom_of_logs([RECEIPT])
        assert bloom == receipts.bloom_of(LOG["address"]) | receipts.bloom_of(LOG["topics"][0])
        assert 1 <= receipts.bloom_of("0x" + "12" * 20).bit_count() <= 3
